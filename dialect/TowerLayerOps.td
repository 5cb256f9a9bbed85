// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Dataflow: the layers of an encoder.

#ifndef DIALECT_TOWERLAYEROPS_TD
#define DIALECT_TOWERLAYEROPS_TD

include "dialect/TowerDialect.td"
include "dialect/TowerInterfaces.td"

defvar segment_arguments = (ins Variadic<F32Matrix>:$segments, Optional<I1Vector>:$mask, Variadic<F32Vector>:$defaults);

def Tower_SegmentLinearOp : Tower_Op<"segment_linear", [Pure, DeclareOpInterfaceMethods<Tower_Differentiable>,
                                                        AttrSizedOperandSegments]> {
  let summary = "The first layer: a product over features side by side, some of them masked";
  let description = [{
    With W cut into W_f by the widths of the segments X_f, and d_f the trained default row of feature f:

        Y = onto + b + sum_{f not masked} X_f W_f + sum_{f masked} d_f W_f

    A masked feature is the same row for all of the batch (paper, section 4.2.1). `skip_masked`: generated code leaves
    masked features out of the product and adds their default rows as a bias. `relu`: the result is max(Y, 0).

    ```mlir
    func.func @example(%x: tensor<8x16xf32>, %y: tensor<8x4xf32>, %z: tensor<8x1xf32>, %w: tensor<21x32xf32>, %b: tensor<32xf32>,
                       %m: tensor<3xi1>, %dx: tensor<16xf32>, %dy: tensor<4xf32>, %dz: tensor<1xf32>) {
      %plain = tower.segment_linear(%x, %y, %z) weight(%w) bias(%b)
        : (tensor<8x16xf32>, tensor<8x4xf32>, tensor<8x1xf32>, tensor<21x32xf32>, tensor<32xf32>) -> tensor<8x32xf32>
      %view = tower.segment_linear(%x, %y, %z) mask(%m, %dx, %dy, %dz) skip_masked weight(%w) bias(%b) relu
        : (tensor<8x16xf32>, tensor<8x4xf32>, tensor<8x1xf32>, tensor<3xi1>, tensor<16xf32>, tensor<4xf32>, tensor<1xf32>, tensor<21x32xf32>, tensor<32xf32>) -> tensor<8x32xf32>
      return
    }
    ```
  }];
  let arguments = !con(segment_arguments,
                       (ins F32Matrix:$weight, Optional<F32Vector>:$bias, Optional<F32Matrix>:$onto,
                            UnitAttr:$skip_masked, UnitAttr:$relu));
  let results = (outs F32Matrix:$result);
  let assemblyFormat = [{
    `(` $segments `)` (`mask` `(` $mask^ `,` $defaults `)`)? (`skip_masked` $skip_masked^)? `weight` `(` $weight `)`
    (`bias` `(` $bias^ `)`)? (`onto` `(` $onto^ `)`)? (`relu` $relu^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Tower_ProjectOp : Tower_Op<"project", [Pure, DeclareOpInterfaceMethods<Tower_Differentiable>]> {
  let summary = "A small table times its part of the first layer's weight: T = E W";
  let description = [{
    A row of T is what a value adds to the layer, so that the layer looks it up instead of multiplying. T is a table: its
    gradient is a row gradient, and with dT its sum, over the rows that something contributes to,

        dE = dT W^T     dW = E^T dT

    so that the gradient of E has those rows too, and no others.

    ```mlir
    func.func @example(%table: tensor<59x16xf32>, %w: tensor<16x32xf32>, %ids: tensor<?xi32>, %rows: tensor<8xi32>) {
      %t = tower.project %table, %w : (tensor<59x16xf32>, tensor<16x32xf32>) -> tensor<59x32xf32>
      %y = tower.lookup %t, %ids[%rows] : (tensor<59x32xf32>, tensor<?xi32>, tensor<8xi32>) -> tensor<8x32xf32>
      return
    }
    ```
  }];
  let arguments = (ins F32Matrix:$table, F32Matrix:$weight);
  let results = (outs F32Matrix:$result);
  let assemblyFormat = "$table `,` $weight attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Tower_LinearOp : Tower_Op<"linear", [Pure, DeclareOpInterfaceMethods<Tower_Differentiable>]> {
  let summary = "A fully connected layer: Y = X W + b, or with `relu` max(X W + b, 0)";
  let description = [{
    ```mlir
    func.func @example(%x: tensor<8x16xf32>, %w: tensor<16x32xf32>, %b: tensor<32xf32>) {
      %y = tower.linear %x, %w bias(%b) : (tensor<8x16xf32>, tensor<16x32xf32>, tensor<32xf32>) -> tensor<8x32xf32>
      return
    }
    ```
  }];
  let arguments = (ins F32Matrix:$input, F32Matrix:$weight, Optional<F32Vector>:$bias, UnitAttr:$relu);
  let results = (outs F32Matrix:$result);
  let assemblyFormat = [{
    $input `,` $weight (`bias` `(` $bias^ `)`)? (`relu` $relu^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Tower_ActivateOp : Tower_Op<"activate", [Pure, SameOperandsAndResultType,
                                             DeclareOpInterfaceMethods<Tower_Differentiable>]> {
  let summary = "An activation, elementwise: max(x, 0), tanh x or x/2 (1 + erf(x / sqrt 2))";
  let description = [{
    ```mlir
    func.func @example(%x: tensor<8x32xf32>) {
      %y = tower.activate relu %x : tensor<8x32xf32>
      return
    }
    ```
  }];
  let arguments = (ins Tower_Activation:$activation, F32Matrix:$input);
  let results = (outs F32Matrix:$result);
  let assemblyFormat = "$activation $input attr-dict `:` type($result)";
}

def Tower_NormalizeOp : Tower_Op<"normalize", [Pure, SameOperandsAndResultType,
                                               DeclareOpInterfaceMethods<Tower_Differentiable>]> {
  let summary = "L2 normalization of rows: z / max(|z|, 1e-12)";
  let description = [{
    Makes scores cosines (paper, section 3.1).

    ```mlir
    func.func @example(%z: tensor<8x32xf32>) {
      %unit = tower.normalize %z : tensor<8x32xf32>
      return
    }
    ```
  }];
  let arguments = (ins F32Matrix:$input);
  let results = (outs F32Matrix:$result);
  let assemblyFormat = "$input attr-dict `:` type($result)";
}

def Tower_StackOp : Tower_Op<"stack", [Pure, DeclareOpInterfaceMethods<Tower_Differentiable>]> {
  let summary = "Rows of several tensors, one below the other";
  let description = [{
    ```mlir
    func.func @example(%a: tensor<8x32xf32>, %b: tensor<4x32xf32>) {
      %both = tower.stack %a, %b : (tensor<8x32xf32>, tensor<4x32xf32>) -> tensor<12x32xf32>
      return
    }
    ```
  }];
  let arguments = (ins Variadic<AnyTypeOf<[F32Matrix, I32Vector]>>:$inputs);
  let results = (outs AnyTypeOf<[F32Matrix, I32Vector]>:$result);
  let assemblyFormat = "$inputs attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Tower_UnstackOp : Tower_Op<"unstack", [Pure, DeclareOpInterfaceMethods<Tower_Differentiable>]> {
  let summary = "The parts that tower.stack put below each other, in their order";
  let description = [{
    ```mlir
    func.func @example(%both: tensor<12x32xf32>) {
      %a, %b = tower.unstack %both : tensor<12x32xf32> -> tensor<8x32xf32>, tensor<4x32xf32>
      return
    }
    ```
  }];
  let arguments = (ins F32Matrix:$input);
  let results = (outs Variadic<F32Matrix>:$parts);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($parts)";
  let hasVerifier = 1;
}

def Tower_ExpandRowsOp : Tower_Op<"expand_rows", [Pure, DeclareOpInterfaceMethods<Tower_Differentiable>]> {
  let summary = "From distinct rows back to all: result[i] = input[inverse[i]]";
  let description = [{
    `distinct` and `inverse` are of one tower.distinct.

    ```mlir
    func.func @example(%x: tensor<?x32xf32, #tower.bound<8>>, %distinct: tensor<?xi32, #tower.bound<8>>, %inverse: tensor<8xi32>) {
      %all = tower.expand_rows %x of %distinct[%inverse]
        : (tensor<?x32xf32, #tower.bound<8>>, tensor<?xi32, #tower.bound<8>>, tensor<8xi32>) -> tensor<8x32xf32>
      return
    }
    ```
  }];
  let arguments = (ins F32Matrix:$input, I32Vector:$distinct, I32Vector:$inverse);
  let results = (outs F32Matrix:$result);
  let assemblyFormat = "$input `of` $distinct `[` $inverse `]` attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Tower_PositionsOp : Tower_Op<"positions", [Pure]> {
  let summary = "0, 1, 2, ...: ids that are all different";
  let description = [{
    ```mlir
    func.func @example() {
      %ids = tower.positions : tensor<8xi32>
      return
    }
    ```
  }];
  let results = (outs I32Vector:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
}

#endif
