// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/lower/ScoreTiles.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "passes/gpu/Alignment.h"
#include "passes/gpu/Kernels.h"
#include "passes/gpu/SharedTile.h"

using namespace mlir;

namespace tower::lower {
namespace {

constexpr int64_t kWarps = kWarpsOfBlock, kRowsOfWarp = 16, kRowsOfBlock = kWarps * kRowsOfWarp;
/// Scores and sums that are added to at once, in eights of columns: more would only hold registers.
constexpr int64_t kScoresAtOnce = 2, kSumsAtOnce = 4;

} // namespace

ScoreSweep::ScoreSweep(Lowering &b, Value rows, Value rowCount, int64_t mostRows, Value columns, Value columnCount)
    : b(b), rows(rows), rowCount(rowCount), columns(columns), columnCount(columnCount), mostRows(mostRows),
      width(shapeOf(rows)[1]), steps(llvm::divideCeil(width, 8)) {}

Value ScoreSweep::acrossRow(Value value, bool maximum) {
  for (int32_t distance : {2, 1}) {
    Value other = gpu::ShuffleOp::create(b, value, distance, kWarp, gpu::ShuffleMode::XOR).getShuffleResult();
    value = maximum ? b.max(value, other) : b.add(value, other);
  }
  return value;
}

/// The lane's elements of its rows, as left operands: for each 8 elements of the rows four.
Values ScoreSweep::loadRows(ValueRange numbers) {
  Values result;
  for (int64_t step = 0; step < steps; ++step)
    for (int64_t beside : {0, 4})
      for (Value row : numbers) {
        Value column = b.add(cores->place(), b.index(8 * step + beside));
        bool isEdge = 8 * step + beside + 4 > width;
        Value element = b.load(rows, {row, isEdge ? b.min(column, b.index(width - 1)) : column});
        if (isEdge)
          element = b.select(b.compare(arith::CmpIPredicate::slt, column, b.index(width)), element, b.f32(0));
        result.push_back(element);
      }
  return result;
}

/// scores = rows columns^T of a tile.
void ScoreSweep::score(const Panel &panel, ValueRange fragments, Values &scores) {
  for (int64_t step = 0; step < steps; ++step) {
    Value lane = b.add(panel.start, b.add(b.mul(cores->group(), b.index(panel.rowStride)), cores->place()));
    ValueRange four = fragments.slice(4 * step, 4);
    TensorCores::Operand left = cores->operand(SmallVector<Value>(four));
    for (int64_t from = 0; from < kTileColumns / 8; from += kScoresAtOnce) {
      SmallVector<TensorCores::Operand> right;
      for (int64_t j = from; j < from + kScoresAtOnce; ++j) {
        auto element = [&](int64_t beside) {
          return b.load(panel.memory, b.add(lane, b.index(8 * j * panel.rowStride + 8 * step + beside)));
        };
        right.push_back(cores->operand({element(0), element(4)}));
      }
      Values part(ArrayRef<Value>(scores).slice(4 * from, 4 * kScoresAtOnce));
      cores->multiply(left, right, part);
      llvm::copy(part, scores.begin() + 4 * from);
    }
  }
}

/// sums += factors columns. The lane's factors are a left operand whose depths are columns 2 place and 2 place + 1.
void ScoreSweep::sum(const Panel &panel, ValueRange factors, Values &sums) {
  Value lane = b.add(panel.start, b.add(b.mul(cores->place(), b.index(2 * panel.rowStride)), cores->group()));
  for (int64_t j = 0; j < kTileColumns / 8; ++j) {
    ValueRange four = factors.slice(4 * j, 4);
    TensorCores::Operand left = cores->operand({four[0], four[2], four[1], four[3]});
    for (int64_t from = 0; from < steps; from += kSumsAtOnce) {
      int64_t count = std::min(kSumsAtOnce, steps - from);
      SmallVector<TensorCores::Operand> right;
      for (int64_t n = from; n < from + count; ++n) {
        auto element = [&](int64_t below) {
          return b.load(panel.memory, b.add(lane, b.index((8 * j + below) * panel.rowStride + 8 * n)));
        };
        right.push_back(cores->operand({element(0), element(1)}));
      }
      Values part(ArrayRef<Value>(sums).slice(4 * from, 4 * count));
      cores->multiply(left, right, part);
      llvm::copy(part, sums.begin() + 4 * from);
    }
  }
}

/// Of one of the lane's rows the two neighbours that it has of every 8.
void ScoreSweep::storeRow(Value to, Value row, int64_t half, ValueRange sums) {
  bool aligned = rowsAreAligned(to);
  for (int64_t step = 0; step < steps; ++step) {
    Value column = b.add(b.mul(cores->place(), b.index(2)), b.index(8 * step));
    ValueRange two = sums.slice(4 * step + 2 * half, 2);
    if (8 * step + 8 <= width && aligned) {
      Value pair = vector::FromElementsOp::create(b, VectorType::get({2}, b.getF32Type()), two);
      vector::StoreOp::create(b, pair, to, ValueRange{row, column}, /*nontemporal=*/false, llvm::MaybeAlign(8));
      continue;
    }
    for (int64_t e = 0; e < 2; ++e) {
      Value at = b.add(column, b.index(e));
      b.ifThen(b.compare(arith::CmpIPredicate::slt, at, b.index(width)), [&] { b.store(two[e], to, {row, at}); });
    }
  }
}

void ScoreSweep::run(Value sumsTo) {
  SharedTile passing(b, columns, /*depthIsInner=*/true, /*isRight=*/false, kTileColumns, 8 * steps, columnCount,
                     b.index(width));
  // A loop of one iteration would not stay a loop. The second block has no rows.
  Value blocks = b.max(b.divideUp(rowCount, kRowsOfBlock), b.index(2));
  b.bound(blocks, std::max<int64_t>(llvm::divideCeil(mostRows, kRowsOfBlock), 2));
  b.blocks(blocks, [&](Value block) {
    cores.emplace(b, /*bf16=*/false);
    auto space = gpu::AddressSpaceAttr::get(b.getContext(), gpu::AddressSpace::Workgroup);
    Value shared =
        memref::AllocaOp::create(b, MemRefType::get({2 * passing.floats()}, b.getF32Type(), AffineMap(), space));
    Value warp = gpu::ThreadIdOp::create(b, gpu::Dimension::y);
    Value thread = b.add(b.mul(warp, b.index(kWarp)), b.lane());
    Value first = b.add(b.add(b.mul(block, b.index(kRowsOfBlock)), b.mul(warp, b.index(kRowsOfWarp))), cores->group());
    Value last = b.sub(rowCount, b.index(1));
    Values all{first, b.add(first, b.index(8))}, numbers;
    for (Value row : all)
      numbers.push_back(b.min(row, last));
    Values fragments = loadRows(numbers), states = initial(numbers);
    int64_t numStates = states.size();

    auto copy = [&](Value at, Value start) { passing.copy(at, b.index(0), shared, start, thread, kWarps * kWarp); };
    Values carried = states;
    carried.append(4 * steps, b.f32(0));
    auto pass = [&](Value at, Value start, ValueRange before) -> Values {
      Panel panel = passing.panel(shared, start);
      ScoreTile scores{at, {}, Values(kTileColumns / 2, b.f32(0))};
      for (int64_t c = 0; c < ScoreTile::kColumnsOfLane; ++c)
        scores.columns.push_back(b.add(at, b.add(b.mul(cores->place(), b.index(2)), b.index(c / 2 * 8 + c % 2))));
      score(panel, fragments, scores.scores);
      Step step = tile(scores, before.take_front(numStates));
      Values sums(before.drop_front(numStates));
      if (!step.scales.empty())
        for (size_t i = 0; i < sums.size(); ++i)
          sums[i] = b.mul(sums[i], step.scales[i % 4 / 2]);
      sum(panel, step.factors, sums);
      Values after = step.states;
      after.append(sums);
      return after;
    };
    carried = inTwoHalves(b, columnCount, kTileColumns, passing.floats(), carried, copy, pass);
    ValueRange sums = ValueRange(carried).drop_front(numStates);
    for (int64_t which = 0; which < 2; ++which)
      b.ifThen(b.compare(arith::CmpIPredicate::slt, all[which], rowCount), [&] {
        storeRow(sumsTo, all[which], which, sums);
        if (finish)
          b.ifThen(b.compare(arith::CmpIPredicate::eq, cores->place(), b.index(0)),
                   [&] { finish(which, all[which], ValueRange(carried).take_front(numStates)); });
      });
  });
}

} // namespace tower::lower
