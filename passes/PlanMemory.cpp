// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Gives every allocation of an entry function a fixed place in one arena.
#include "passes/PlanMemory.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include "passes/Passes.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>

using namespace mlir;

namespace tower {
#define GEN_PASS_DEF_PLANMEMORY
#include "passes/Passes.h.inc"

namespace {

/// Numbers the ops of a function's block; whatever lies in their regions has their number.
class OpNumbers {
public:
  explicit OpNumbers(func::FuncOp function) : block(&function.getBody().front()) {
    for (Operation &op : *block)
      numbers[&op] = static_cast<int64_t>(numbers.size());
  }

  int64_t of(Operation *op) const { return numbers.lookup(block->findAncestorOpInBlock(*op)); }

private:
  Block *block;
  llvm::DenseMap<Operation *, int64_t> numbers;
};

/// Whether the op's results are other names of its operand's memory.
bool isAlias(Operation *op) {
  return isa<memref::ExtractAlignedPointerAsIndexOp, arith::IndexCastOp, LLVM::IntToPtrOp>(op) ||
         llvm::any_of(op->getResultTypes(), llvm::IsaPred<MemRefType>);
}

/// From the first use to the last; a use in a loop is a use in all of the outermost loop.
PlannedBuffer lifetimeOf(Value memory, const OpNumbers &numbers) {
  int64_t defined = numbers.of(memory.getDefiningOp());
  PlannedBuffer buffer{bytesOf(cast<MemRefType>(memory.getType())), std::numeric_limits<int64_t>::max(), defined, 0};
  SmallVector<Value> names{memory};
  for (size_t i = 0; i < names.size(); ++i)
    for (Operation *user : names[i].getUsers()) {
      if (isAlias(user)) {
        llvm::append_range(names, user->getResults());
        continue;
      }
      buffer.first = std::min(buffer.first, numbers.of(user));
      buffer.last = std::max(buffer.last, numbers.of(user));
    }
  buffer.first = std::min(buffer.first, buffer.last);
  return buffer;
}

struct PlanMemory : impl::PlanMemoryBase<PlanMemory> {
  void runOnOperation() override {
    WalkResult legal = WalkResult::advance();
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isDeclaration() && !function.isPrivate() && failed(plan(function)))
        return signalPassFailure();
    legal = getOperation().walk([](Operation *op) {
      if (!isa<memref::AllocOp, memref::DeallocOp, memref::ReallocOp>(op))
        return WalkResult::advance();
      op->emitOpError("remains after planning: a step must not allocate memory");
      return WalkResult::interrupt();
    });
    if (legal.wasInterrupted())
      signalPassFailure();
  }

  LogicalResult plan(func::FuncOp function) {
    if (!function.getBody().hasOneBlock())
      return function.emitOpError("must have structured control flow for its memory to be planned");
    OpNumbers numbers(function);
    SmallVector<memref::AllocOp> allocations;
    SmallVector<PlannedBuffer> buffers;
    WalkResult walk = function.walk([&](memref::AllocOp op) {
      if (!op.getType().hasStaticShape() || !op.getType().getLayout().isIdentity()) {
        op.emitOpError("has a size known only at run time, which no plan can place");
        return WalkResult::interrupt();
      }
      if (op->getParentOfType<scf::ParallelOp>()) {
        op.emitOpError("is in a parallel loop, whose pieces would share it");
        return WalkResult::interrupt();
      }
      allocations.push_back(op);
      buffers.push_back(lifetimeOf(op.getMemref(), numbers));
      return WalkResult::advance();
    });
    if (walk.wasInterrupted())
      return failure();
    int64_t total = assignOffsets(buffers);
    OpBuilder builder(function.getContext());
    function->setAttr(kArenaBytes, builder.getI64IntegerAttr(total));
    auto arenaType = MemRefType::get({total}, builder.getI8Type());
    unsigned last = function.getNumArguments();
    if (failed(function.insertArgument(last, arenaType, {}, function.getLoc())))
      return failure();
    for (auto [op, buffer] : llvm::zip(allocations, buffers)) {
      builder.setInsertionPoint(op);
      Value offset = arith::ConstantIndexOp::create(builder, op.getLoc(), buffer.offset);
      Value view =
          memref::ViewOp::create(builder, op.getLoc(), op.getType(), function.getArgument(last), offset, ValueRange());
      op.replaceAllUsesWith(view);
      op.erase();
    }
    return success();
  }
};

/// "segment_linear model.txtpb:12:3" of an op's location.
void printOrigin(Location loc, raw_ostream &os) {
  if (auto named = dyn_cast<NameLoc>(loc)) {
    os << named.getName().getValue() << ' ';
    loc = named.getChildLoc();
  }
  if (auto place = loc->findInstanceOf<FileLineColLoc>())
    os << place.getFilename().getValue() << ':' << place.getLine() << ':' << place.getColumn();
}

} // namespace

int64_t bytesOf(MemRefType type) { return type.getNumElements() * llvm::divideCeil(type.getElementTypeBitWidth(), 8); }

int64_t assignOffsets(MutableArrayRef<PlannedBuffer> buffers) {
  SmallVector<PlannedBuffer *> order;
  for (PlannedBuffer &buffer : buffers)
    order.push_back(&buffer);
  llvm::stable_sort(order, [](auto *a, auto *b) { return a->bytes > b->bytes; });
  int64_t total = 0;
  SmallVector<PlannedBuffer *> placed; // by offset
  for (PlannedBuffer *buffer : order) {
    int64_t size = llvm::alignTo(buffer->bytes, kBufferAlignment);
    buffer->offset = 0;
    for (PlannedBuffer *other : placed) {
      if (other->last < buffer->first || buffer->last < other->first)
        continue;
      if (buffer->offset + size <= other->offset)
        break;
      buffer->offset = std::max<int64_t>(buffer->offset, llvm::alignTo(other->offset + other->bytes, kBufferAlignment));
    }
    placed.insert(llvm::upper_bound(placed, buffer, [](auto *a, auto *b) { return a->offset < b->offset; }), buffer);
    total = std::max(total, buffer->offset + size);
  }
  return total;
}

std::map<std::string, int64_t> arenaBytes(ModuleOp module) {
  std::map<std::string, int64_t> result;
  for (auto function : module.getOps<func::FuncOp>())
    if (auto bytes = function->getAttrOfType<IntegerAttr>(kArenaBytes))
      result[function.getSymName().str()] = bytes.getInt();
  return result;
}

void printPlan(ModuleOp module, raw_ostream &os) {
  for (auto function : module.getOps<func::FuncOp>()) {
    auto bytes = function->getAttrOfType<IntegerAttr>(kArenaBytes);
    if (!bytes)
      continue;
    OpNumbers numbers(function);
    SmallVector<std::pair<PlannedBuffer, Location>> buffers;
    function.walk([&](memref::ViewOp view) {
      APInt offset;
      if (view.getSource() != function.getArguments().back() ||
          !matchPattern(view.getByteShift(), m_ConstantInt(&offset)))
        return;
      PlannedBuffer buffer = lifetimeOf(view.getResult(), numbers);
      buffer.offset = offset.getSExtValue();
      buffers.emplace_back(buffer, view.getLoc());
    });
    llvm::stable_sort(buffers, [](const auto &a, const auto &b) { return a.first.offset < b.first.offset; });
    int64_t sum = 0;
    for (const auto &[buffer, loc] : buffers)
      sum += buffer.bytes;
    os << function.getName() << ": peak " << bytes.getInt() << " bytes for " << buffers.size() << " buffers of " << sum
       << " bytes\n        offset         bytes    in use by ops  of\n";
    for (const auto &[buffer, loc] : buffers) {
      os << llvm::format("%14lld%14lld%8lld - %-6lld ", static_cast<long long>(buffer.offset),
                         static_cast<long long>(buffer.bytes), static_cast<long long>(buffer.first),
                         static_cast<long long>(buffer.last));
      printOrigin(loc, os);
      os << '\n';
    }
  }
}

} // namespace tower
