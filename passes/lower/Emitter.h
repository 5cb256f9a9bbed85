// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A builder of loops over memrefs: pieces for threads, vectors along rows, sums in one fixed order.
//
// For a GPU the same calls make code for warps of 32 lanes. All lanes of a warp run the same code with the same values
// but along vectors(), fold() and parts(), where each lane has elements of its own; what is stored elsewhere, one lane
// stores. Iterations of rows() are a warp each.
#ifndef TOWER_PASSES_LOWER_EMITTER_H
#define TOWER_PASSES_LOWER_EMITTER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace tower::lower {

using mlir::Value;
using mlir::ValueRange;
using mlir::VectorType;
using Values = llvm::SmallVector<Value>;

/// Elements of the vectors that generated loops work on. The same for every CPU, so that sums have one order; LLVM cuts
/// them to what the CPU has.
inline constexpr int64_t kLanes = 16;

/// Lanes of a GPU's warp.
inline constexpr int64_t kWarp = 32;

/// Attribute of an scf.parallel: more iterations than this there are never.
inline constexpr llvm::StringLiteral kAtMost = "tower.at_most";

/// Attribute of memory that has several parts: ops that only write to it write to different ones.
inline constexpr llvm::StringLiteral kParts = "tower.parts";
/// Attribute of an scf.parallel, a number: those of one group touch different parts of what they have in common.
inline constexpr llvm::StringLiteral kGroup = "tower.group";

/// Unit attribute of an scf.parallel on a GPU: an iteration is a block of warps, which share memory that is a
/// memref.alloca in it.
inline constexpr llvm::StringLiteral kBlocks = "tower.blocks";

/// What the code is for.
enum class Machine { Cpu, Gpu };

/// Some columns of a row, kept in registers while something else is looped over.
struct Part {
  Value column; ///< The first one, of this lane on a GPU.
  VectorType type;
  Value valid; ///< On a GPU an i1, false where the lane has no column and repeats another's; or null.
};

class Emitter : public mlir::ImplicitLocOpBuilder {
public:
  Emitter(mlir::Location loc, mlir::Operation *before, Machine machine = Machine::Cpu)
      : ImplicitLocOpBuilder(loc, before), machine(machine) {}

  bool onGpu() const { return machine == Machine::Gpu; }

  // ---- Constants and arithmetic; operands of one type, floats may be contracted -------------------------------------
  Value index(int64_t value);
  Value integer(int64_t value, unsigned bits);
  Value f32(double value);
  /// A constant f32 vector.
  Value splat(double value, VectorType type);
  /// A scalar in all lanes.
  Value broadcast(Value scalar, VectorType type);
  Value toIndex(Value integer);
  Value toI32(Value index);
  Value toF32(Value index);

  Value add(Value a, Value b);
  Value sub(Value a, Value b);
  Value mul(Value a, Value b);
  Value div(Value a, Value b);
  /// a b + c.
  Value fma(Value a, Value b, Value c) { return add(mul(a, b), c); }
  /// a / b, rounded up; of indices that are not negative.
  Value divideUp(Value a, int64_t b) { return div(add(a, index(b - 1)), index(b)); }
  Value min(Value a, Value b);
  Value max(Value a, Value b);
  Value sqrt(Value a);
  Value compare(mlir::arith::CmpIPredicate predicate, Value a, Value b);
  Value compare(mlir::arith::CmpFPredicate predicate, Value a, Value b);
  Value select(Value condition, Value a, Value b);
  /// The sum, or with `maximum` the largest, of a vector's elements.
  Value reduce(Value vector, bool maximum = false);

  // ---- Memory -----------------------------------------------------------------------------------------------------
  Value load(Value memory, ValueRange at = {});
  void store(Value value, Value memory, ValueRange at = {});
  Value loadVector(VectorType type, Value memory, ValueRange at);
  /// The extent of a dimension: a constant where it is static.
  Value extent(Value memory, int64_t dimension);
  /// Rows [from, from + count) of a matrix; `count` static where it is known.
  Value rowsOf(Value matrix, mlir::OpFoldResult from, mlir::OpFoldResult count);
  /// Columns [from, from + width) of a matrix, static where they are known.
  Value columnsOf(Value matrix, mlir::OpFoldResult from, mlir::OpFoldResult width);
  /// The memory's address as an !llvm.ptr, for a call of the runtime.
  Value pointer(Value memory);

  // ---- Control ----------------------------------------------------------------------------------------------------
  using Body = llvm::function_ref<void(Value)>;
  void loop(Value from, Value to, int64_t step, Body body);
  Values loop(Value from, Value to, int64_t step, ValueRange initial,
              llvm::function_ref<Values(Value, ValueRange)> body);
  /// While `condition` of the values holds, `body` replaces them.
  Values whileLoop(ValueRange initial, llvm::function_ref<Value(ValueRange)> condition,
                   llvm::function_ref<Values(ValueRange)> body);
  void ifThen(Value condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise = nullptr);
  Values choose(Value condition, mlir::TypeRange types, llvm::function_ref<Values()> then,
                llvm::function_ref<Values()> otherwise);

  /// Cuts [0, count) into ranges that threads run in any order. How many there are depends on the work alone: `cost`
  /// element operations for each of `count`; little work stays in one piece, outside of any parallel loop.
  void pieces(int64_t count, int64_t cost, llvm::function_ref<void(Value begin, Value end)> body);
  void pieces(Value count, int64_t cost, llvm::function_ref<void(Value begin, Value end)> body);
  /// The same, with a loop over each range.
  void rows(int64_t count, int64_t cost, Body body);
  void rows(Value count, int64_t cost, Body body);
  /// rows() whose iterations store single elements: on a GPU a lane each, not a warp.
  void elements(Value count, int64_t cost, Body body);
  /// The loops that `body` makes may run in any order, or at the same time.
  void independent(llvm::function_ref<void()> body) {
    int64_t outside = std::exchange(group, ++groups);
    body();
    group = outside;
  }
  /// Says that a count known at run time is never above `most`: a GPU's launches are planned for it.
  void bound(Value count, int64_t most) { bounds[count] = most; }
  /// How many pieces pieces(count, cost) makes.
  static int64_t numPieces(int64_t count, int64_t cost);

  // ---- Vectors along `width` elements: full ones in a loop, then what is left -------------------------------------
  using VectorBody = llvm::function_ref<void(Value column, VectorType type)>;
  void vectors(int64_t width, VectorBody body);
  void vectors(Value from, Value to, VectorBody full, Body scalar);
  /// The same, cut into pieces for threads: `cost` element operations for each full vector.
  void vectorsInPieces(int64_t width, int64_t cost, VectorBody body);
  /// The f32 sum (or maximum) over `width` elements of what `body` gives for each.
  using FoldBody = llvm::function_ref<Value(Value column, VectorType type)>;
  Value fold(int64_t width, FoldBody body, bool maximum = false);
  Value fold(Value width, FoldBody body, bool maximum = false);

  /// Columns [from, from + width), all at once.
  llvm::SmallVector<Part> parts(Value from, int64_t width);
  /// `body` where the lane has columns: around what changes memory that it also reads.
  void inPart(const Part &part, llvm::function_ref<void()> body);
  /// The sum of a part's elements.
  Value sumOf(const Part &part, Value elements);

  VectorType vectorOf(mlir::Type element, int64_t lanes = kLanes) { return VectorType::get({lanes}, element); }
  VectorType like(VectorType type, mlir::Type element) { return VectorType::get(type.getShape(), element); }

  // ---- On a GPU alone: what lanes and warps do together (Warps.cpp) -------------------------------------------------
  /// A block of warps for each of [0, count): their threads wait for each other at barriers.
  void blocks(Value count, Body body);
  Value lane();
  /// Stores inside are the lanes' own.
  void inLanes(llvm::function_ref<void()> body);
  /// The sum, or the maximum, of all lanes' values, in all lanes.
  Value acrossLanes(Value value, bool maximum);
  /// The sum of the values of this lane and of all before it; of i32.
  Value scanLanes(Value value);
  /// The value that a lane has, an i32.
  Value fromLane(Value value, Value lane);
  /// What was in memory before it was replaced by its sum or minimum with `value`: no other thread comes between.
  Value atomic(mlir::arith::AtomicRMWKind kind, Value value, Value memory, ValueRange at);
  /// What was in memory before zero was replaced by `value`.
  Value claim(Value value, Value memory, ValueRange at);

private:
  // Warps.cpp: the same on a GPU.
  void syncWarp();
  void storeOnce(Value value, Value memory, ValueRange at);
  mlir::scf::ParallelOp warpPerRow(Value count, Body body);
  /// Columns of a row of `width` that a lane takes at once: as many as 16 bytes have, if all lanes get some.
  static int64_t atOnce(int64_t width);
  /// The first column of the lane, where each lane takes so many.
  Value ofLane(int64_t each);
  void lanesOf(Value from, Value to, int64_t each, VectorBody body);
  void lanePerElement(Value count, Body body);
  Value foldOnWarp(Value width, int64_t each, FoldBody body, bool maximum);
  llvm::SmallVector<Part> partsOfLanes(Value from, int64_t width);
  llvm::MaybeAlign alignmentOf(VectorType type, Value memory, ValueRange at);
  Value combine(Value a, Value b, bool maximum) { return maximum ? max(a, b) : add(a, b); }
  Value neutral(VectorType type, bool maximum);

  Machine machine;
  llvm::DenseMap<Value, int64_t> bounds;
  int64_t group = 0, groups = 0; ///< Of independent loops; 0: of none.
  bool alongLanes = false;       ///< Lanes have elements of their own here.

  void piecesOf(Value numPieces, Value chunk, Value count, bool exact, llvm::function_ref<void(Value, Value)> body);
};

/// Static shape of a memref.
llvm::ArrayRef<int64_t> shapeOf(Value memory);
/// Whether elements lie one behind the other without a gap from the allocation's start.
bool isContiguous(Value memory);

} // namespace tower::lower

#endif
