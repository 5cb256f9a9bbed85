// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/StepMemory.h"
#include "dialect/RowGradients.h"
#include "passes/Products.h"
#include "passes/lower/Blocks.h"
#include "passes/lower/InPlace.h"
#include "passes/products/Blocking.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

#include <map>

using namespace mlir;

namespace tower {
namespace {

constexpr int64_t kElement = sizeof(float);

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

int64_t bytesOf(Value value) {
  auto type = typeOf(value);
  int64_t elements = type.getRank() == 0 ? 1 : mostRows(type);
  for (int64_t extent : type.getShape().drop_front(type.getRank() == 0 ? 0 : 1))
    elements *= extent;
  return elements * static_cast<int64_t>(llvm::divideCeil(type.getElementTypeBitWidth(), 8));
}

int64_t columnsOf(Value value) { return typeOf(value).getDimSize(1); }

/// What a product m x n over k copies of its operands: of the left one only where no pieces have copies of their own.
int64_t product(int64_t m, int64_t n, int64_t k, bool transposeLeft = false, bool transposeRight = false,
                products::Format format = products::Format::f32) {
  products::Extents extents{{m, {}}, {n, {}}, {k, {}}};
  products::Tile tile = products::chooseTile(16);
  tile.format = format;
  products::Blocking blocking = products::chooseBlocking(extents, transposeLeft, transposeRight, tile, false);
  int64_t elements = blocking.packB ? blocking.packedDepth * blocking.packedColumns : 0;
  if (blocking.packA && !blocking.parallel)
    elements += products::packedRows(tile, transposeLeft, blocking.rowBlock);
  return elements * kElement;
}

/// Scratch of a row gradient's sums: for each entry its row and its place in order, and a table of numbers.
int64_t scratchOfSums(Value gradient) {
  int64_t entries = mostContributions(gradient);
  int64_t rows = cast<RowGradientType>(gradient.getType()).getRows();
  auto slots = std::min(rows, static_cast<int64_t>(llvm::PowerOf2Ceil(2 * entries)));
  return static_cast<int64_t>(sizeof(int32_t)) * (2 * entries + 2 * std::min(rows, entries) + slots);
}

/// Scores of a block of rows against all columns, and the products with them: in a loop over blocks, all are in use.
int64_t scores(Value left, Value right, bool toLeft, bool toRight) {
  int64_t rows = mostRows(left.getType()), columns = mostRows(right.getType()), inner = columnsOf(right);
  int64_t block = std::min(rows, lower::mostBlockRows(columns));
  int64_t products[] = {product(block, columns, inner, false, true), toLeft ? product(block, inner, columns) : 0,
                        toRight ? product(columns, inner, block, true) : 0};
  bool isLoop = block < rows || boundOf(left.getType());
  return block * columns * kElement + (isLoop ? products[0] + products[1] + products[2] : *llvm::max_element(products));
}

/// Memory that lowering an op takes beside its result.
int64_t scratchOf(Operation *op) {
  auto rows = [](Value value) { return mostRows(value.getType()); };
  // Both bf16 formats take the same memory, with the instruction for them and without.
  bool bf16 = op->getParentOfType<ModuleOp>()->hasAttr(kBf16Attr);
  auto layer = [&](int64_t m, int64_t n, int64_t k, bool transposeLeft = false, bool transposeRight = false) {
    return product(m, n, k, transposeLeft, transposeRight, bf16 ? products::Format::pairs : products::Format::f32);
  };
  return llvm::TypeSwitch<Operation *, int64_t>(op)
      .Case([&](ProjectOp o) { return layer(rows(o.getTable()), columnsOf(o.getWeight()), rows(o.getWeight())); })
      .Case([&](LinearOp o) { return layer(rows(o.getInput()), columnsOf(o.getWeight()), rows(o.getWeight())); })
      .Case([&](MatmulOp o) {
        int64_t inner = o.getTransposeLhs() ? rows(o.getLhs()) : columnsOf(o.getLhs());
        return layer(rows(o.getResult()), columnsOf(o.getResult()), inner, o.getTransposeLhs(), o.getTransposeRhs());
      })
      // Visible rows of the weight are copied, then packed; those of its gradient are computed, then spread.
      .Case(
          [&](SegmentLinearOp o) { return layer(rows(o.getResult()), columnsOf(o.getWeight()), rows(o.getWeight())); })
      .Case([&](SegmentInputGradOp o) {
        return layer(rows(o.getGradient()), rows(o.getWeight()), columnsOf(o.getWeight()), false, true);
      })
      .Case([&](SegmentWeightGradOp o) {
        return layer(rows(o.getResult()), columnsOf(o.getResult()), rows(o.getGradient()), true);
      })
      .Case([&](InBatchSoftmaxOp o) { return scores(o.getQuery(), o.getItem(), false, false); })
      .Case<InBatchSoftmaxGradOp, InBatchSoftmaxWithGradOp>(
          [&](auto o) { return scores(o.getQuery(), o.getItem(), true, true); })
      .Case([&](SpreadOutOp o) { return scores(o.getInput(), o.getInput(), false, false); })
      .Case([&](SpreadOutGradOp o) { return scores(o.getInput(), o.getInput(), true, false); })
      .Default([](Operation *other) {
        int64_t sum = 0;
        if (isa<SumRowsOp, SgdRowsOp, AdagradRowsOp, RowwiseAdagradRowsOp, AdamRowsOp>(other))
          for (Value operand : other->getOperands())
            if (isa<RowGradientType>(operand.getType()))
              sum += scratchOfSums(operand);
        return sum;
      });
}

} // namespace

/// Walks the step as its lowering does.
class StepMemory::Builder {
public:
  Builder(StepMemory &memory, func::FuncOp step)
      : memory(memory), returned(step.getBody().front().getTerminator()->getOperands()),
        places(step, [&](Value value) { return isReturned(value); }) {
    for (Operation &op : step.getBody().front().without_terminator()) {
      for (Value operand : op.getOperands())
        read(operand);
      if (int64_t bytes = scratchOf(&op))
        make(bytes);
      define(&op);
      ++now;
    }
    memory.bytes.resize(now);
    for (const Buffer &buffer : memory.all)
      for (int64_t at = buffer.first; at <= buffer.last; ++at)
        memory.bytes[at] += llvm::alignTo(buffer.bytes, kBufferAlignment);
  }

private:
  StepMemory &memory;
  OperandRange returned; ///< In memory of the caller.
  lower::InPlace places;
  std::map<std::vector<const void *>, unsigned> inputs; ///< Buffers of first layers' inputs,
  llvm::DenseMap<Value, unsigned> stacks;               ///< and of stacks of which a part is computed.
  int64_t now = 0;

  bool isReturned(Value value) const { return llvm::is_contained(returned, value); }

  unsigned make(int64_t bytes) {
    Buffer buffer;
    buffer.bytes = bytes;
    buffer.first = buffer.last = now;
    memory.all.push_back(buffer);
    return memory.all.size() - 1;
  }
  void read(Value value) {
    for (unsigned home : memory.buffersOf(value))
      memory.all[home].last = now;
  }
  void put(Value value, unsigned home) {
    memory.homes[value].push_back(home);
    memory.all[home].values.push_back(value);
    memory.all[home].last = now;
  }
  /// The result is another name of memory that an operand has.
  void alias(Value result, Value operand) {
    for (unsigned home : llvm::to_vector(memory.buffersOf(operand)))
      put(result, home);
  }

  void define(Operation *op) {
    if (isa<RowGradientOp, PooledRowGradientOp, MergeRowsOp>(op)) {
      for (Value operand : op->getOperands())
        for (unsigned home : memory.buffersOf(operand))
          memory.homes[op->getResult(0)].push_back(home);
      return;
    }
    if (auto back = dyn_cast<SegmentInputGradOp>(op)) {
      // Parts of one product.
      unsigned home = make(0);
      for (Value segment : back.getSegments()) {
        memory.all[home].bytes += bytesOf(segment);
        put(segment, home);
      }
      return;
    }
    Value same = sameMemory(op);
    for (Value result : op->getResults())
      if (same && !isReturned(result))
        alias(result, same);
      else if (!isReturned(result))
        place(result);
  }

  /// The operand whose memory the results share.
  static Value sameMemory(Operation *op) {
    auto onto = [](Value value) {
      bool owned = value && value.hasOneUse() &&
                   isa_and_present<MatmulOp, SegmentWeightGradOp, LookupOp, PooledLookupOp>(value.getDefiningOp());
      return owned ? value : Value();
    };
    return llvm::TypeSwitch<Operation *, Value>(op)
        .Case<UnstackOp, SliceRowsOp>([](auto o) { return o.getInput().getDefiningOp() ? o.getInput() : Value(); })
        .Case<MatmulOp, SegmentWeightGradOp, SegmentLinearOp, LookupOp, PooledLookupOp>(
            [&](auto o) { return onto(o.getOnto()); })
        .Default(Value());
  }

  void place(Value value) {
    if (const lower::InPlace::Segment *segment = places.segment(value)) {
      auto [known, isNew] = inputs.try_emplace(segment->input.key());
      if (isNew) {
        known->second = make(0);
        for (Value other : segment->input.segments)
          memory.all[known->second].bytes += bytesOf(other);
      }
      return put(value, known->second);
    }
    if (const lower::InPlace::Part *part = places.part(value)) {
      StackOp stack = part->stack;
      auto [known, isNew] = stacks.try_emplace(stack.getResult());
      if (isNew)
        known->second = make(bytesOf(stack.getResult()));
      return put(value, known->second);
    }
    auto stack = stacks.find(value);
    put(value, stack == stacks.end() ? make(bytesOf(value)) : stack->second);
  }
};

StepMemory::StepMemory(func::FuncOp step) { Builder(*this, step); }

ArrayRef<unsigned> StepMemory::buffersOf(Value value) const {
  auto found = homes.find(value);
  return found == homes.end() ? ArrayRef<unsigned>() : ArrayRef<unsigned>(found->second);
}

int64_t StepMemory::peak() const {
  std::vector<PlannedBuffer> placed(all.begin(), all.end());
  return assignOffsets(placed);
}

} // namespace tower
