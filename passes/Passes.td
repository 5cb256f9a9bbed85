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
    The error is below 1e-6 relative to the exact result (absolute for tanh and erf), which
    test/unit/ApproximateMathTest.cpp measures, for normal results: exp of less than -87.3 is 0.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::math::MathDialect", "mlir::vector::VectorDialect"];
}

#endif
