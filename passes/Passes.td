// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every pass of towerc: what it does, an example before and after, and what it does not promise.
#ifndef TOWER_PASSES
#define TOWER_PASSES

include "mlir/Pass/PassBase.td"

def ApproximateMath : Pass<"tower-approximate-math"> {
  let summary = "Replace math.exp, log, tanh and erf on f32 by polynomials";
  let description = [{
    The default lowering of these operations calls libm once for every element. Polynomials vectorize, and leave
    the generated object free of imports. They apply to scalars and vectors of f32, other types are left alone.
    The error is below 3e-7, relative to the exact result (absolute for tanh and erf); test/unit/ApproximateMathTest.cpp
    measures it. Numbers below the smallest normal one (1.2e-38) are not told apart: exp of less than -87.3 is 0 or
    tiny, log of less than 1.2e-38, but not of 0, is about -87.3.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::math::MathDialect", "mlir::vector::VectorDialect"];
}

def LowerProducts : Pass<"tower-lower-products", "mlir::ModuleOp"> {
  let summary = "Generate code for dense products of f32";
  let description = [{
    Each linalg.matmul on memrefs of f32 whose rows are contiguous, with either operand transposed or not, becomes:
    packing of B into panels, a grid of pieces of C (an scf.parallel, if the product is large enough), blocked loops,
    and calls of micro-kernels, private functions shared by all products. `tower.overwrite` on the operation means
    C = A B, else C += A B. Sizes may be dynamic; no element outside the operands is read.

    Every element of C is one chain of fused multiply-adds in the order of k: neither blocking nor the order in which
    pieces run changes a bit. Pieces depend on the product's size alone.

    Scratch of a product is a memref.alloc of static size, for a later pass to place; it is not deallocated. Scratch of
    a piece is a memref.alloca. Inside an scf.parallel a product stays sequential and all its scratch is on the stack.
    Other products become plain loops. Products on tensors are left alone.

    Before:
    ```mlir
    linalg.matmul {tower.overwrite} ins(%x, %w : memref<1024x344xf32>, memref<344x512xf32>) outs(%y : memref<1024x512xf32>)
    ```
    After, in outline:
    ```mlir
    %packed = memref.alloc() {alignment = 64 : i64} : memref<176128xf32>
    scf.parallel (%p) = (%c0) to (%c6) step (%c1) { /* copy panels of %w to %packed */ }
    scf.parallel (%p) = (%c0) to (%c16) step (%c1) {
      %rows = memref.alloca() {alignment = 64 : i64} : memref<50688xf32>
      scf.for ... { /* copy rows of %x to %rows */ scf.for ... { scf.for ... { func.call @tower_product_12x32(...) } } }
    }
    ```
  }];
  let options = [
    Option<"vectorWidth", "vector-width", "int64_t", "16", "f32 elements of a vector register: 16 (AVX-512) or 8 (AVX2)">
  ];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::func::FuncDialect", "mlir::linalg::LinalgDialect",
                           "mlir::memref::MemRefDialect", "mlir::scf::SCFDialect", "mlir::vector::VectorDialect"];
}

#endif
