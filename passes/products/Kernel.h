// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions that do a product's work: micro-kernels and the transposition of a panel. They are private functions of
// the module, made when first called and shared by all products.
#ifndef TOWER_PASSES_PRODUCTS_KERNEL_H
#define TOWER_PASSES_PRODUCTS_KERNEL_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "passes/products/Blocking.h"

namespace tower::products {

/// A matrix in memory: element (i, j) is at flat[offset + i * stride + j].
struct Matrix {
  mlir::Value flat;
  Index offset, stride;
};

/// A place in memory: base[offset].
struct Place1D {
  mlir::Value base;
  Index offset;
};

/// What a micro-kernel is made for.
struct KernelKind {
  int64_t rows, vectors;
  /// Columns of C beyond a number known when it runs are neither read nor written.
  bool masked;
  /// A[i, k] is at a[k * strideA + i], as in A^T; else at a[i * kRowStride + k], a copy of rows.
  bool transposedA;
  /// Consecutive rows of B are tile.columns() apart; else strideB.
  bool packedB;
  /// The parts of the epilogue.
  bool bias = false, relu = false, gate = false;

  bool hasEpilogue() const { return bias || relu || gate; }
};

/// C[rows x columns] = (first ? 0 : C) + A[rows x depth] B[depth x columns], and if `last` the epilogue applied to it.
struct KernelCall {
  KernelKind kind;
  Place1D a, b, c, bias, gate;
  Index strideA, strideB, strideC, strideGate;
  Index depth, columns;
  mlir::Value first, last;
};

class Kernels {
public:
  Kernels(mlir::ModuleOp module, Tile tile) : module(module), tile(tile) {}

  void call(IndexMath &math, const KernelCall &call);

  /// to[k * tile.columns() + j] = from[j * stride + k] for k < depth, j < tile.lanes, where j < rows is read, and the
  /// last row stands for those beyond. Writes up to a multiple of tile.lanes for k.
  void transpose(IndexMath &math, Place1D from, Index stride, Index rows, Index depth, Place1D to);

private:
  mlir::func::FuncOp getOrCreate(llvm::StringRef name, mlir::ArrayRef<mlir::Type> inputs,
                                 llvm::function_ref<void(IndexMath &, mlir::Block &)> body);

  mlir::ModuleOp module;
  Tile tile;
};

} // namespace tower::products

#endif
