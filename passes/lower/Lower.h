// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the lowering of tower ops shares: which memory holds which tensor. Each op's lowering is an overload of lower(),
// in the file of its family.
#ifndef TOWER_PASSES_LOWER_LOWER_H
#define TOWER_PASSES_LOWER_LOWER_H

#include "dialect/Tower.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Products.h"
#include "passes/lower/Emitter.h"
#include "passes/lower/InPlace.h"
#include "passes/lower/Segments.h"

#include <map>
#include <vector>

namespace tower::lower {

/// A tensor's type as memory: identity layout; a mask's i1 is a byte.
mlir::MemRefType memoryType(mlir::Type tensor);

/// Lowers the ops of one function, one after the other. Every result is written once, to memory of its own; an
/// argument is written only by its update.
class Lowering : public Emitter {
public:
  /// `chain`: see chain().
  Lowering(mlir::func::FuncOp source, Machine machine, int64_t chain);

  /// Makes the function over memory beside the old one, which is erased. Emits errors at the ops' places in the spec.
  mlir::LogicalResult run();

  mlir::ModuleOp module() { return source->getParentOfType<mlir::ModuleOp>(); }

  /// The memory of a tensor that was lowered before; null for null.
  Value memory(Value tensor) const { return buffers.lookup(tensor); }
  /// The rows of a tensor: its static extent, or of one with a #tower.bound how many there are in this step.
  Value rowCount(Value tensor);
  void setRowCount(Value tensor, Value count) {
    rowCounts[tensor] = count;
    bound(count, memoryType(tensor.getType()).getShape()[0]);
  }
  /// The memory of these rows; all memory where their number is static.
  Value rowsInUse(Value tensor);
  /// Memory for a result that its op writes in full.
  Value define(Value tensor);
  /// Lets a result be `memory`, which nothing writes any more.
  void alias(Value tensor, Value memory) { buffers[tensor] = memory; }
  /// Whether a value's memory may be given to another one: arguments change when they are updated.
  bool isFinal(Value memory) const;
  /// Memory for the new value of `old`, to be updated in place and holding the old value: the argument itself where the
  /// function returns the result as its update, else a copy. Fails if a later op reads an argument's old value.
  mlir::FailureOr<Value> update(mlir::OpResult result, Value old);

  /// Memory for a result to which something will be added, holding `onto` if it is not null: onto's own where nothing
  /// else reads it.
  Value defineOnto(Value tensor, Value onto);
  /// Memory of a stack, made when the first of its parts is computed in place, or now.
  Value stackMemory(StackOp op);
  /// Whether a value was computed where this stack wants it, from row `from` on.
  bool isInStack(StackOp op, Value tensor, int64_t from) const {
    const InPlace::Part *part = places->part(tensor);
    return placed.contains(tensor) && part->stack == op && part->firstRow == from;
  }
  /// Whether a value is computed where the first layer that reads it wants it.
  bool isInPlace(Value tensor) const { return places->segment(tensor); }
  /// Whether nothing reads the zeros of a masked feature's lookup.
  bool zerosAreSkipped(Value tensor) const {
    const InPlace::Segment *segment = places->segment(tensor);
    return segment && segment->input.skipMasked;
  }

  /// Whether the caller gives memory for a value.
  bool isResult(Value tensor) const { return resultMemory.contains(tensor); }

  /// Scratch in planned memory, aligned to 64 bytes.
  Value allocate(llvm::ArrayRef<int64_t> shape, mlir::Type element);
  Value allocateF32(llvm::ArrayRef<int64_t> shape) { return allocate(shape, getF32Type()); }
  /// Says that all that only writes to this memory writes to different parts of it.
  void inParts(Value memory) {
    if (mlir::Operation *definition = onGpu() ? memory.getDefiningOp() : nullptr)
      definition->setAttr(kParts, getUnitAttr());
  }

  /// Rows that a GPU's warp sums one after the other where other warps can take some: each waits for memory. A warp
  /// that sums all rows of a batch would take longer than everything else in the step.
  int64_t chain() const { return gpuChain; }
  /// The sum of a vector's first `count` elements, of all if that is null. In order; on a GPU long ones by many warps.
  Value total(Value memory, Value count = {});

  /// C = op(A) op(B), or C += op(A) op(B); then the epilogue.
  void product(Value a, bool transposeA, Value b, bool transposeB, Value c, bool accumulate,
               const Epilogue &epilogue = {}, bool bf16 = false);
  /// The same for a layer or a gradient of one, in the precision that the spec asks for.
  void layerProduct(Value a, bool transposeA, Value b, bool transposeB, Value c, bool accumulate,
                    const Epilogue &epilogue = {});
  void fill(Value memory, double value);
  void copy(Value from, Value to);
  /// to[i] = value(operands at i, to's type) for contiguous or strided matrices, vectors and scalars of f32; of a
  /// matrix the first `count` rows if that is not null.
  void elementwise(ValueRange from, Value to, int64_t cost, llvm::function_ref<Value(ValueRange, VectorType)> value,
                   Value count = {});
  /// Whether feature number `feature` is masked: an i1.
  Value isMasked(Value mask, int64_t feature);
  /// One f32, or i64 where `memory` holds one.
  Value scalar(Value memory) { return load(memory); }

  void callRuntime(mlir::func::FuncOp function, ValueRange arguments);

  /// Inputs of first layers, each made once for all its uses.
  std::map<std::vector<const void *>, SideBySide> firstLayers;

private:
  /// SplitProduct.cpp: a product in parts that can run at the same time, where there would be few tiles; else false.
  bool splitProduct(Value a, bool transposeA, Value b, bool transposeB, Value c, bool accumulate, bool bf16);
  void buildSignature();
  void carryRowCount(mlir::Operation *op);
  mlir::LogicalResult finish();

  mlir::func::FuncOp source, target;
  int64_t gpuChain;
  llvm::DenseMap<Value, Value> buffers;
  llvm::DenseMap<Value, Value> rowCounts; ///< By tensors with a #tower.bound.
  std::optional<InPlace> places;          ///< Where values may be computed,
  llvm::DenseSet<Value> placed;           ///< and the parts of stacks that were.
  /// Memory that the caller gives for results, by the result's value: the first return of each.
  llvm::DenseMap<Value, Value> resultMemory;
};

/// Lowers one op of the dataflow form; the type says which.
mlir::LogicalResult lowerOp(Lowering &lowering, mlir::Operation *op);

using mlir::LogicalResult;

// Data.cpp
LogicalResult lower(Lowering &b, SamplePairsOp op);
LogicalResult lower(Lowering &b, SampleUniformOp op);
LogicalResult lower(Lowering &b, FeatureMaskOp op);
LogicalResult lower(Lowering &b, ComplementOp op);
LogicalResult lower(Lowering &b, TakeOp op);
LogicalResult lower(Lowering &b, PositionsOp op);
LogicalResult lower(Lowering &b, DenseOp op);
// Distinct.cpp
LogicalResult lower(Lowering &b, DistinctOp op);
LogicalResult lower(Lowering &b, ExpandRowsOp op);
LogicalResult lower(Lowering &b, SumEqualRowsOp op);
// Lookups.cpp
LogicalResult lower(Lowering &b, LookupOp op);
LogicalResult lower(Lowering &b, PooledLookupOp op);
// Layers.cpp
LogicalResult lower(Lowering &b, ProjectOp op);
LogicalResult lower(Lowering &b, LinearOp op);
LogicalResult lower(Lowering &b, ActivateOp op);
LogicalResult lower(Lowering &b, NormalizeOp op);
LogicalResult lower(Lowering &b, StackOp op);
LogicalResult lower(Lowering &b, UnstackOp op);
// Segments.cpp
LogicalResult lower(Lowering &b, SegmentLinearOp op);
LogicalResult lower(Lowering &b, SegmentWeightGradOp op);
LogicalResult lower(Lowering &b, SegmentInputGradOp op);
LogicalResult lower(Lowering &b, SegmentDefaultGradOp op);
// Softmax.cpp
LogicalResult lower(Lowering &b, InBatchSoftmaxOp op);
LogicalResult lower(Lowering &b, InBatchSoftmaxGradOp op);
LogicalResult lower(Lowering &b, InBatchSoftmaxWithGradOp op);
// Losses.cpp
LogicalResult lower(Lowering &b, SpreadOutOp op);
LogicalResult lower(Lowering &b, SpreadOutGradOp op);
LogicalResult lower(Lowering &b, WeightedSumOp op);
// Gradients.cpp
LogicalResult lower(Lowering &b, OneOp op);
LogicalResult lower(Lowering &b, ScaleOp op);
LogicalResult lower(Lowering &b, AddOp op);
LogicalResult lower(Lowering &b, MatmulOp op);
LogicalResult lower(Lowering &b, ColumnSumOp op);
LogicalResult lower(Lowering &b, SliceRowsOp op);
LogicalResult lower(Lowering &b, ActivateGradOp op);
LogicalResult lower(Lowering &b, NormalizeGradOp op);
// RowSum.cpp
LogicalResult lower(Lowering &b, SumRowsOp op);
// Optimizers.cpp
LogicalResult lower(Lowering &b, SgdOp op);
LogicalResult lower(Lowering &b, SgdRowsOp op);
LogicalResult lower(Lowering &b, AdagradOp op);
LogicalResult lower(Lowering &b, AdagradRowsOp op);
LogicalResult lower(Lowering &b, RowwiseAdagradRowsOp op);
LogicalResult lower(Lowering &b, AdamOp op);
LogicalResult lower(Lowering &b, AdamRowsOp op);
LogicalResult lower(Lowering &b, SquaredNormOp op);
LogicalResult lower(Lowering &b, ClipScaleOp op);
// TopK.cpp
LogicalResult lower(Lowering &b, TopKOp op);

} // namespace tower::lower

#endif
