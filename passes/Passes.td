// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every pass of towerc: what it does, an example before and after, and what it does not promise.
#ifndef TOWER_PASSES
#define TOWER_PASSES

include "mlir/Pass/PassBase.td"

def BuildStep : Pass<"tower-build-step", "mlir::ModuleOp"> {
  let summary = "Write a declared model out as dataflow";
  let description = [{
    Adds to a module that holds one tower.model: a tower.tensor for everything that is kept between steps (parameters,
    slots, constants), and four functions. `@train_step` samples, masks, looks up, encodes, evaluates the losses, asks for
    their gradient and updates the parameters; `@embed_queries` and `@embed_items` embed 256 rows; `@score` keeps the best
    k items of a catalogue. Arguments and results say in attributes what they are (docs/Manifest.md). Every op has the
    location of the part of the spec that it comes from. The model stays: it is what the functions were made from.

    Before:
    ```mlir
    tower.encoder @item entity(@package) features([@section]) output(normalized) { tower.layer 32 relu init(glorot) }
    ```
    After, among others:
    ```mlir
    func.func @embed_items(%table: tensor<59x16xf32>, %w: tensor<16x32xf32>, %ids: tensor<?xi32>, %rows: tensor<256xi32>) -> tensor<256x32xf32> {
      %e = tower.lookup %table, %ids[%rows] : (tensor<59x16xf32>, tensor<?xi32>, tensor<256xi32>) -> tensor<256x16xf32>
      %y = tower.segment_linear(%e) weight(%w) : (tensor<256x16xf32>, tensor<16x32xf32>) -> tensor<256x32xf32>
      %a = tower.activate relu %y : tensor<256x32xf32>
      %z = tower.normalize %a : tensor<256x32xf32>
      return %z : tensor<256x32xf32>
    }
    ```
  }];
  let dependentDialects = ["mlir::func::FuncDialect", "tower::TowerDialect"];
}

def Differentiate : Pass<"tower-differentiate"> {
  let summary = "Replace tower.gradient by the backward pass";
  let description = [{
    Walks from the loss back to the parameters. Each op on the way states its adjoint in tower ops (interface
    Differentiable); contributions to one value are added, those to one table merged. What does not depend on a parameter
    is left out. An op on the way without an adjoint is an error.

    Before:
    ```mlir
    %loss = tower.spread_out %z : tensor<8x32xf32>
    %dz = tower.gradient %loss wrt(%z) : (tensor<f32>, tensor<8x32xf32>) -> tensor<8x32xf32>
    ```
    After:
    ```mlir
    %loss = tower.spread_out %z : tensor<8x32xf32>
    %one = tower.one : tensor<f32>
    %dz = tower.spread_out_grad %one, %z : tensor<8x32xf32>
    ```
    Work that other ops make useless (a gradient of one operand that nobody asked for) is left to CSE and dead code
    elimination.
  }];
  let dependentDialects = ["tower::TowerDialect"];
}

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
    C = A B, else C += A B. Sizes may be dynamic; no element outside the operands is read. An epilogue behind the product
    (`tower.epilogue`, see passes/Products.h) is applied to C in registers.

    Every element of C is one chain of fused multiply-adds in the order of k: neither blocking nor the order in which
    pieces run changes a bit. Pieces depend on the product's size alone.

    Scratch of a product is a memref.alloc of static size, for a later pass to place; it is not deallocated. Scratch of
    a piece is a memref.alloca. Inside an scf.parallel a product stays sequential and all its scratch is on the stack.
    Other products become plain loops. Products on tensors are left alone.

    Before:
    ```mlir
    linalg.matmul {tower.overwrite} ins(%x, %w : memref<1024x344xf32>, memref<344x512xf32>)
                                    outs(%y : memref<1024x512xf32>)
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
    Option<"vectorWidth", "vector-width", "int64_t", "16",
           "f32 elements of a vector register: 16 (AVX-512) or 8 (AVX2)">
  ];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::func::FuncDialect", "mlir::linalg::LinalgDialect",
                           "mlir::LLVM::LLVMDialect", "mlir::memref::MemRefDialect", "mlir::scf::SCFDialect",
                           "mlir::vector::VectorDialect"];
}

#endif
