// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Lowering of tower.top_k. A piece of work takes some queries through the whole catalogue, block by block: scores of a
// block stay near the core, and each query keeps its k best in the result itself, sorted. Nothing but the catalogue is
// read by two threads: what goes from core to core costs more than packing items in each piece.
#include "passes/lower/Lower.h"

#include <limits>

using namespace mlir;

namespace tower::lower {
namespace {

/// Queries and items in a block of scores: 256 KiB, in the second-level cache of the core that computes and reads them.
constexpr int64_t kQueries = 512, kItems = 128;
/// Pieces at most: each has scratch of its own. Queries that a piece should have: each piece packs all items.
constexpr int64_t kPieces = 16, kFewQueries = 96;
/// Work of a piece for b.rows, which makes one of each.
constexpr int64_t kMuchWork = int64_t(1) << 30;

class TopK {
public:
  TopK(Lowering &b, TopKOp op)
      : b(b), queries(b.memory(op.getQueries())), catalogue(b.memory(op.getCatalogue())),
        offsets(b.memory(op.getExcludeOffsets())), excluded(b.memory(op.getExcludeRows())),
        scores(b.define(op.getScores())), rows(b.define(op.getRows())), k(b.extent(scores, 1)) {}

  void run();

private:
  void clear();
  void searchBlock(Value firstQuery, Value count, Value mine);
  void offerBlock(Value query, Value local, Value firstItem, Value items, Value block);
  void offer(Value query, Value item, Value score);
  Value isExcluded(Value query, Value item);
  void insert(Value query, Value item, Value score);
  Value worst(Value query) { return b.load(scores, {query, b.sub(k, b.index(1))}); }

  Lowering &b;
  Value queries, catalogue, offsets, excluded, scores, rows, k;
};

void TopK::clear() {
  b.rows(b.extent(scores, 0), 64, [&](Value query) {
    b.loop(b.index(0), k, 1, [&](Value i) {
      b.store(b.f32(-std::numeric_limits<float>::infinity()), scores, {query, i});
      b.store(b.integer(-1, 32), rows, {query, i});
    });
  });
}

/// Whether the item is in the query's list, which is rising.
Value TopK::isExcluded(Value query, Value item) {
  Value first = b.toIndex(b.load(offsets, query)), end = b.toIndex(b.load(offsets, b.add(query, b.index(1))));
  Value number = b.toI32(item);
  // The first entry that is not below the item, by bisection.
  Values found = b.whileLoop(
      {first, end}, [&](ValueRange v) -> Value { return b.compare(arith::CmpIPredicate::ult, v[0], v[1]); },
      [&](ValueRange v) -> Values {
        Value middle = b.div(b.add(v[0], v[1]), b.index(2));
        Value below = b.compare(arith::CmpIPredicate::slt, b.load(excluded, middle), number);
        return {b.select(below, b.add(middle, b.index(1)), v[0]), b.select(below, v[1], middle)};
      });
  return b.choose(
      b.compare(arith::CmpIPredicate::ult, found[0], end), b.getI1Type(),
      [&]() -> Values { return {b.compare(arith::CmpIPredicate::eq, b.load(excluded, found[0]), number)}; },
      [&]() -> Values { return {b.integer(0, 1)}; })[0];
}

/// Items come in rising order, so that an equal score stays behind those that are there.
void TopK::insert(Value query, Value item, Value score) {
  Value place = b.whileLoop(
      b.sub(k, b.index(1)),
      [&](ValueRange at) -> Value {
        return b.choose(
            b.compare(arith::CmpIPredicate::ugt, at[0], b.index(0)), b.getI1Type(),
            [&]() -> Values {
              Value before = b.load(scores, {query, b.sub(at[0], b.index(1))});
              return {b.compare(arith::CmpFPredicate::OLT, before, score)};
            },
            [&]() -> Values { return {b.integer(0, 1)}; })[0];
      },
      [&](ValueRange at) -> Values {
        Value before = b.sub(at[0], b.index(1));
        b.store(b.load(scores, {query, before}), scores, {query, at[0]});
        b.store(b.load(rows, {query, before}), rows, {query, at[0]});
        return {before};
      })[0];
  b.store(score, scores, {query, place});
  b.store(b.toI32(item), rows, {query, place});
}

void TopK::offer(Value query, Value item, Value score) {
  b.ifThen(b.compare(arith::CmpFPredicate::OGT, score, worst(query)), [&] {
    b.ifThen(b.compare(arith::CmpIPredicate::eq, isExcluded(query, item), b.integer(0, 1)),
             [&] { insert(query, item, score); });
  });
}

void TopK::offerBlock(Value query, Value local, Value firstItem, Value items, Value block) {
  auto one = [&](Value i) { offer(query, b.add(firstItem, i), b.load(block, {local, i})); };
  // A warp inserts an item together.
  if (b.onGpu())
    return b.loop(b.index(0), items, 1, one);
  b.vectors(
      b.index(0), items,
      [&](Value at, VectorType type) {
        // Mostly none of a vector is good enough.
        Value better = b.compare(arith::CmpFPredicate::OGT, b.loadVector(type, block, {local, at}),
                                 b.broadcast(worst(query), type));
        Value any = vector::ReductionOp::create(b, vector::CombiningKind::OR, better);
        b.ifThen(any, [&] { b.loop(at, b.add(at, b.index(kLanes)), 1, one); });
      },
      one);
}

/// All items for some queries, whose scores stay near the core.
void TopK::searchBlock(Value firstQuery, Value count, Value mine) {
  Value someQueries = b.rowsOf(queries, firstQuery, count), numItems = b.extent(catalogue, 0);
  b.loop(b.index(0), numItems, kItems, [&](Value firstItem) {
    Value items = b.min(b.sub(numItems, firstItem), b.index(kItems));
    SmallVector<OpFoldResult> offsets(2, b.getIndexAttr(0)), sizes{count, items}, strides(2, b.getIndexAttr(1));
    Value block = memref::SubViewOp::create(b, mine, offsets, sizes, strides);
    b.product(someQueries, false, b.rowsOf(catalogue, firstItem, items), /*transposeB=*/true, block, false);
    b.loop(b.index(0), count, 1,
           [&](Value local) { offerBlock(b.add(firstQuery, local), local, firstItem, items, block); });
  });
}

void TopK::run() {
  clear();
  Value numQueries = b.extent(queries, 0);
  Value numPieces = b.max(b.min(b.divideUp(numQueries, kFewQueries), b.index(kPieces)), b.index(1));
  Value perPiece = b.div(b.add(numQueries, b.sub(numPieces, b.index(1))), numPieces);
  Value scratch = b.allocateF32({kPieces * kQueries, kItems});
  b.rows(numPieces, kMuchWork, [&](Value piece) {
    Value end = b.min(b.mul(b.add(piece, b.index(1)), perPiece), numQueries);
    Value mine = b.rowsOf(scratch, b.mul(piece, b.index(kQueries)), b.getIndexAttr(kQueries));
    b.loop(b.mul(piece, perPiece), end, kQueries, [&](Value firstQuery) {
      Value count = b.min(b.sub(end, firstQuery), b.index(kQueries));
      searchBlock(firstQuery, count, mine);
    });
  });
}

} // namespace

LogicalResult lower(Lowering &b, TopKOp op) {
  if (ShapedType::isDynamic(shapeOf(b.memory(op.getQueries()))[1]))
    return op.emitOpError("needs queries of a static width");
  if (!b.isResult(op.getScores()) || !b.isResult(op.getRows()))
    return op.emitOpError("must be what its function returns: sizes known at run time are the caller's");
  TopK(b, op).run();
  return success();
}

} // namespace tower::lower
