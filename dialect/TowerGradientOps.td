// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Dataflow: what adjoints are made of. Formulas: docs/Rationale.md and the forward ops.

#ifndef DIALECT_TOWERGRADIENTOPS_TD
#define DIALECT_TOWERGRADIENTOPS_TD

include "dialect/TowerDataOps.td"
include "dialect/TowerLayerOps.td"
include "dialect/TowerLossOps.td"

def Tower_OneOp : Tower_Op<"one", [Pure]> {
  let summary = "1: the gradient of the loss with respect to itself";
  let description = [{
    ```mlir
    func.func @example() {
      %seed = tower.one : tensor<f32>
      return
    }
    ```
  }];
  let results = (outs F32Scalar:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
}

def Tower_ScaleOp : Tower_Op<"scale", [Pure, SameOperandsAndResultType]> {
  let summary = "A tensor times a constant";
  let description = [{
    ```mlir
    func.func @example(%x: tensor<f32>) {
      %y = tower.scale %x by(3.0e-1) : tensor<f32>
      return
    }
    ```
  }];
  let arguments = (ins Tower_F32Tensor:$input, F32Attr:$factor);
  let results = (outs Tower_F32Tensor:$result);
  let assemblyFormat = "$input `by` `(` $factor `)` attr-dict `:` type($result)";
}

def Tower_AddOp : Tower_Op<"add", [Pure, SameOperandsAndResultType, Commutative]> {
  let summary = "The sum of two tensors of one shape";
  let description = [{
    ```mlir
    func.func @example(%a: tensor<8x32xf32>, %b: tensor<8x32xf32>) {
      %c = tower.add %a, %b : tensor<8x32xf32>
      return
    }
    ```
  }];
  let arguments = (ins Tower_F32Tensor:$lhs, Tower_F32Tensor:$rhs);
  let results = (outs Tower_F32Tensor:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($result)";
}

def Tower_MatmulOp : Tower_Op<"matmul", [Pure, AttrSizedOperandSegments]> {
  let summary = "A product of two matrices, each as it is or transposed";
  let description = [{
    `onto + op(A) op(B)`; the keywords say which operand is transposed, and without `onto` nothing is added. Where there is a
    `gate`, an element is 0 unless the gate's is above 0: back through the ReLU that gave the gate.

    ```mlir
    func.func @example(%x: tensor<8x16xf32>, %dy: tensor<8x32xf32>, %w: tensor<16x32xf32>) {
      %dw = tower.matmul transpose_lhs %x, %dy : (tensor<8x16xf32>, tensor<8x32xf32>) -> tensor<16x32xf32>
      %dx = tower.matmul transpose_rhs %dy, %w : (tensor<8x32xf32>, tensor<16x32xf32>) -> tensor<8x16xf32>
      %da = tower.matmul transpose_rhs %dy, %w gate(%x) : (tensor<8x32xf32>, tensor<16x32xf32>, tensor<8x16xf32>) -> tensor<8x16xf32>
      %sum = tower.matmul transpose_lhs %x, %dy onto(%dw) : (tensor<8x16xf32>, tensor<8x32xf32>, tensor<16x32xf32>) -> tensor<16x32xf32>
      return
    }
    ```
  }];
  let arguments = (ins UnitAttr:$transpose_lhs, UnitAttr:$transpose_rhs, F32Matrix:$lhs, F32Matrix:$rhs,
                       Optional<F32Matrix>:$gate, Optional<F32Matrix>:$onto);
  let results = (outs F32Matrix:$result);
  let assemblyFormat = [{
    (`transpose_lhs` $transpose_lhs^)? (`transpose_rhs` $transpose_rhs^)? $lhs `,` $rhs (`gate` `(` $gate^ `)`)?
    (`onto` `(` $onto^ `)`)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Tower_ColumnSumOp : Tower_Op<"column_sum", [Pure]> {
  let summary = "Sums over rows: the gradient of a bias";
  let description = [{
    ```mlir
    func.func @example(%dy: tensor<8x32xf32>) {
      %db = tower.column_sum %dy : tensor<8x32xf32> -> tensor<32xf32>
      return
    }
    ```
  }];
  let arguments = (ins F32Matrix:$input);
  let results = (outs F32Vector:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def Tower_SliceRowsOp : Tower_Op<"slice_rows", [Pure]> {
  let summary = "Consecutive rows of a matrix";
  let description = [{
    ```mlir
    func.func @example(%both: tensor<12x32xf32>) {
      %b = tower.slice_rows %both from(8) : tensor<12x32xf32> -> tensor<4x32xf32>
      return
    }
    ```
  }];
  let arguments = (ins F32Matrix:$input, ConfinedAttr<I64Attr, [IntNonNegative]>:$from);
  let results = (outs F32Matrix:$result);
  let assemblyFormat = "$input `from` `(` $from `)` attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
}

def Tower_SumEqualRowsOp : Tower_Op<"sum_equal_rows", [Pure]> {
  let summary = "Back through tower.expand_rows: result[u] = sum of the rows i with inverse[i] = u";
  let description = [{
    ```mlir
    func.func @example(%dy: tensor<8x32xf32>, %distinct: tensor<?xi32, #tower.bound<8>>, %inverse: tensor<8xi32>) {
      %dx = tower.sum_equal_rows %dy of %distinct[%inverse]
        : (tensor<8x32xf32>, tensor<?xi32, #tower.bound<8>>, tensor<8xi32>) -> tensor<?x32xf32, #tower.bound<8>>
      return
    }
    ```
  }];
  let arguments = (ins F32Matrix:$input, I32Vector:$distinct, I32Vector:$inverse);
  let results = (outs F32Matrix:$result);
  let assemblyFormat = "$input `of` $distinct `[` $inverse `]` attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Tower_ActivateGradOp : Tower_Op<"activate_grad", [Pure, SameOperandsAndResultType]> {
  let summary = "Back through an activation";
  let description = [{
    `saved` is the activation's *output* y for relu and tanh, its *input* x for gelu:

        relu: dy where y > 0, else 0     tanh: dy (1 - y^2)     gelu: dy (Phi(x) + x phi(x))     identity: dy

    ```mlir
    func.func @example(%y: tensor<8x32xf32>, %dy: tensor<8x32xf32>) {
      %dx = tower.activate_grad relu %y, %dy : tensor<8x32xf32>
      return
    }
    ```
  }];
  let arguments = (ins Tower_Activation:$activation, F32Matrix:$saved, F32Matrix:$gradient);
  let results = (outs F32Matrix:$result);
  let assemblyFormat = "$activation $saved `,` $gradient attr-dict `:` type($result)";
}

def Tower_NormalizeGradOp : Tower_Op<"normalize_grad", [Pure, SameOperandsAndResultType]> {
  let summary = "Back through L2 normalization";
  let description = [{
    With r = max(|z|, 1e-12) and u = z / r: `dz = (g - u <u, g>) / r`.

    ```mlir
    func.func @example(%z: tensor<8x32xf32>, %g: tensor<8x32xf32>) {
      %dz = tower.normalize_grad %z, %g : tensor<8x32xf32>
      return
    }
    ```
  }];
  let arguments = (ins F32Matrix:$input, F32Matrix:$gradient);
  let results = (outs F32Matrix:$result);
  let assemblyFormat = "$input `,` $gradient attr-dict `:` type($result)";
}

def Tower_SegmentWeightGradOp : Tower_Op<"segment_weight_grad", [Pure, AttrSizedOperandSegments]> {
  let summary = "The first layer's weight gradient";
  let description = [{
    `dW_f = X_f^T dY` where feature f is visible, `d_f (x) colsum(dY)` where it is masked, stacked by segments and added to
    `onto` where it is given. `sums` is colsum(dY), given with a mask. `skip_masked`: as in `tower.segment_linear`.

    ```mlir
    func.func @example(%x: tensor<8x16xf32>, %y: tensor<8x4xf32>, %dy: tensor<8x32xf32>) {
      %dw = tower.segment_weight_grad(%x, %y) gradient(%dy)
        : (tensor<8x16xf32>, tensor<8x4xf32>, tensor<8x32xf32>) -> tensor<20x32xf32>
      return
    }
    ```
  }];
  let arguments = !con(segment_arguments, (ins F32Matrix:$gradient, Optional<F32Vector>:$sums,
                                               Optional<F32Matrix>:$onto, UnitAttr:$skip_masked));
  let results = (outs F32Matrix:$result);
  let assemblyFormat = [{
    `(` $segments `)` (`mask` `(` $mask^ `,` $defaults `)`)? (`skip_masked` $skip_masked^)?
    `gradient` `(` $gradient (`,` $sums^)? `)` (`onto` `(` $onto^ `)`)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Tower_SegmentInputGradOp : Tower_Op<"segment_input_grad", [Pure]> {
  let summary = "The gradients of the first layer's segments";
  let description = [{
    `dX_f = dY W_f^T` where feature f is visible, zero where it is masked. One result for each segment. `skip_masked`:
    generated code computes the visible ones only, and nothing may read the zeros.

    ```mlir
    func.func @example(%dy: tensor<8x32xf32>, %w: tensor<20x32xf32>, %m: tensor<2xi1>) {
      %dx:2 = tower.segment_input_grad %dy, %w mask(%m)
        : (tensor<8x32xf32>, tensor<20x32xf32>, tensor<2xi1>) -> (tensor<8x16xf32>, tensor<8x4xf32>)
      return
    }
    ```
  }];
  let arguments = (ins F32Matrix:$gradient, F32Matrix:$weight, Optional<I1Vector>:$mask, UnitAttr:$skip_masked);
  let results = (outs Variadic<F32Matrix>:$segments);
  let assemblyFormat = [{
    $gradient `,` $weight (`mask` `(` $mask^ `)`)? (`skip_masked` $skip_masked^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Tower_SegmentDefaultGradOp : Tower_Op<"segment_default_grad", [Pure]> {
  let summary = "The gradients of the default rows";
  let description = [{
    `dd_f = W_f colsum(dY)` where feature f is masked, zero where it is visible; `sums` is colsum(dY).

    ```mlir
    func.func @example(%sums: tensor<32xf32>, %w: tensor<20x32xf32>, %m: tensor<2xi1>) {
      %dd:2 = tower.segment_default_grad %sums, %w mask(%m)
        : (tensor<32xf32>, tensor<20x32xf32>, tensor<2xi1>) -> (tensor<16xf32>, tensor<4xf32>)
      return
    }
    ```
  }];
  let arguments = (ins F32Vector:$sums, F32Matrix:$weight, I1Vector:$mask);
  let results = (outs Variadic<F32Vector>:$defaults);
  let assemblyFormat = "$sums `,` $weight `mask` `(` $mask `)` attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Tower_InBatchSoftmaxGradOp : Tower_Op<"in_batch_softmax_grad", [Pure, AttrSizedOperandSegments]> {
  let summary = "Back through tower.in_batch_softmax";
  let description = [{
    With P_iu = m_iu exp(s_iu - lse_i), W = sum_i w_i, g the gradient of the loss:

        dq_i = g w_i / (W temperature) (sum_u P_iu x_u - x_i)
        dx_u = g / (W temperature) sum_i w_i (P_iu - [u = i]) q_i

    Given `query_rows`, dq_k is the sum of dq_i over the pairs i of query k.

    ```mlir
    func.func @example(%g: tensor<f32>, %lse: tensor<8xf32>, %q: tensor<8x32xf32>, %x: tensor<8x32xf32>, %ids: tensor<8xi32>) {
      %dq, %dx = tower.in_batch_softmax_grad %g, %lse, %q, %x ids(%ids) temperature(1.0e-1)
        : (tensor<f32>, tensor<8xf32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<8xi32>) -> (tensor<8x32xf32>, tensor<8x32xf32>)
      return
    }
    ```
  }];
  let arguments = !con((ins F32Scalar:$gradient, F32Vector:$lse), softmax_arguments);
  let results = (outs F32Matrix:$query_gradient, F32Matrix:$item_gradient);
  let assemblyFormat = !strconcat("$gradient `,` $lse `,`", softmax_format);
  let hasVerifier = 1;
}

def Tower_InBatchSoftmaxWithGradOp : Tower_Op<"in_batch_softmax_with_grad", [Pure, AttrSizedOperandSegments]> {
  let summary = "tower.in_batch_softmax and tower.in_batch_softmax_grad at once";
  let description = [{
    The loss and its gradients from one computation of the scores, which the two ops apart compute twice.

    ```mlir
    func.func @example(%g: tensor<f32>, %q: tensor<8x32xf32>, %x: tensor<8x32xf32>, %ids: tensor<8xi32>) {
      %loss, %dq, %dx = tower.in_batch_softmax_with_grad %g, %q, %x ids(%ids) temperature(1.0e-1)
        : (tensor<f32>, tensor<8x32xf32>, tensor<8x32xf32>, tensor<8xi32>) -> (tensor<f32>, tensor<8x32xf32>, tensor<8x32xf32>)
      return
    }
    ```
  }];
  let arguments = !con((ins F32Scalar:$gradient), softmax_arguments);
  let results = (outs F32Scalar:$loss, F32Matrix:$query_gradient, F32Matrix:$item_gradient);
  let assemblyFormat = !strconcat("$gradient `,`", softmax_format);
  let hasVerifier = 1;
}

def Tower_SpreadOutGradOp : Tower_Op<"spread_out_grad", [Pure, AllTypesMatch<["input", "result"]>]> {
  let summary = "Back through tower.spread_out: dz_i = 4 g / N sum_{j != i} <z_i, z_j> z_j";
  let description = [{
    ```mlir
    func.func @example(%g: tensor<f32>, %z: tensor<8x32xf32>) {
      %dz = tower.spread_out_grad %g, %z : tensor<8x32xf32>
      return
    }
    ```
  }];
  let arguments = (ins F32Scalar:$gradient, F32Matrix:$input);
  let results = (outs F32Matrix:$result);
  let assemblyFormat = "$gradient `,` $input attr-dict `:` type($result)";
}

// ---- Row gradients -----------------------------------------------------------------------------------------------------

def Tower_RowGradientOp : Tower_Op<"row_gradient", [Pure]> {
  let summary = "Back through tower.lookup";
  let description = [{
    Contributes `gradient[i]` to row `ids[rows[i]]`, for every i; nothing where the feature is masked.

    ```mlir
    func.func @example(%ids: tensor<?xi32>, %rows: tensor<8xi32>, %g: tensor<8x16xf32>) {
      %d = tower.row_gradient %g, %ids[%rows] : (tensor<8x16xf32>, tensor<?xi32>, tensor<8xi32>) -> !tower.row_gradient<59x16>
      return
    }
    ```
  }];
  let arguments = (ins F32Matrix:$gradient, I32Vector:$ids, I32Vector:$rows, Optional<I1Vector>:$mask,
                       OptionalAttr<I64Attr>:$feature);
  let results = (outs Tower_RowGradientType:$result);
  let assemblyFormat = [{
    $gradient `,` $ids `[` $rows `]` (`unless` `(` $mask^ `)` `feature` `(` $feature `)`)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Tower_PooledRowGradientOp : Tower_Op<"pooled_row_gradient", [Pure, AttrSizedOperandSegments]> {
  let summary = "Back through tower.pooled_lookup";
  let description = [{
    Contributes `c_i gradient[i]` to row v for every surviving value v of position i, with c_i = 1/|S|, 1 or 1/sqrt|S| as
    the pooling says; the survivors S are drawn again. Nothing where the feature is masked.

    ```mlir
    func.func @example(%offsets: tensor<?xi64>, %values: tensor<?xi32>, %rows: tensor<8xi32>, %g: tensor<8x64xf32>) {
      %d = tower.pooled_row_gradient %g, %offsets, %values[%rows] mean longest(20)
        : (tensor<8x64xf32>, tensor<?xi64>, tensor<?xi32>, tensor<8xi32>) -> !tower.row_gradient<800x64>
      return
    }
    ```
  }];
  let arguments = !con((ins F32Matrix:$gradient), pooled_arguments);
  let results = (outs Tower_RowGradientType:$result);
  let assemblyFormat = !strconcat("$gradient", pooled_places, format_end);
  let hasVerifier = 1;
}

def Tower_MergeRowsOp : Tower_Op<"merge_rows", [Pure, SameOperandsAndResultType]> {
  let summary = "The contributions of two row gradients of one table";
  let description = [{
    ```mlir
    func.func @example(%a: !tower.row_gradient<59x16>, %b: !tower.row_gradient<59x16>) {
      %c = tower.merge_rows %a, %b : !tower.row_gradient<59x16>
      return
    }
    ```
  }];
  let arguments = (ins Tower_RowGradientType:$lhs, Tower_RowGradientType:$rhs);
  let results = (outs Tower_RowGradientType:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($result)";
}

def Tower_SumRowsOp : Tower_Op<"sum_rows", [Pure]> {
  let summary = "A row gradient with equal rows summed";
  let description = [{
    `rows[0 .. count)` are the distinct rows that something contributes to, `values` the sums of their contributions, each
    in the order in which they were merged. Static extents are a bound, and what lies beyond `count` is undefined; rows and
    values with a #tower.bound have `count` rows.

    ```mlir
    func.func @example(%g: !tower.row_gradient<59x16>) {
      %rows, %values, %count = tower.sum_rows %g : !tower.row_gradient<59x16> -> tensor<40xi32>, tensor<40x16xf32>, tensor<i64>
      return
    }
    ```
  }];
  let arguments = (ins Tower_RowGradientType:$gradient);
  let results = (outs I32Vector:$rows, F32Matrix:$values, I64Scalar:$count);
  let assemblyFormat = [{
    $gradient attr-dict `:` type($gradient) `->` type($rows) `,` type($values) `,` type($count)
  }];
  let hasVerifier = 1;
}

#endif
