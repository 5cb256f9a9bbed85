// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Dataflow: optimizers. Each comes for dense parameters and, with `_rows`, for the distinct rows of a table; rows that no
// lookup touched keep their parameters and slots. Rows come summed, as tower.sum_rows gives them, or as the row gradient
// itself, whose sums then never are in memory. r = rate x factor, with `factor` the schedule's at this step. g is the
// gradient, times `scale` when clipping. Weight decay is decoupled: p <- p - r decay p.

#ifndef DIALECT_TOWEROPTIMIZEROPS_TD
#define DIALECT_TOWEROPTIMIZEROPS_TD

include "dialect/TowerDialect.td"

class Tower_Update<string mnemonic, dag slots, dag gradient, dag extra, dag attributes, dag new_slots,
                   string operands_format, string attributes_format, list<Trait> traits = []>
    : Tower_Op<mnemonic, !listconcat([Pure], traits)> {
  let arguments = !con((ins Tower_F32Tensor:$parameter), slots, gradient, extra,
                       (ins F32Scalar:$factor, Optional<F32Scalar>:$scale, F32Attr:$rate), attributes);
  let results = !con((outs Tower_F32Tensor:$new_parameter), new_slots);
  let assemblyFormat = !strconcat(operands_format, [{ `,` $factor (`scale` `(` $scale^ `)`)? `rate` `(` $rate `)` }],
      attributes_format, [{ attr-dict `:` functional-type(operands, results) }]);
  let hasVerifier = 1;
}

defvar dense_gradient = (ins Tower_F32Tensor:$gradient);
defvar row_gradient = (ins Optional<I32Vector>:$rows, Optional<F32Matrix>:$values, Optional<I64Scalar>:$count,
                           Optional<Tower_RowGradientType>:$gradient);
defvar dense_operands = "`,` $gradient";
defvar row_operands = [{
  (`rows` `(` $rows^ `,` $values `,` $count `)`)? (`gradient` `(` $gradient^ `)`)?
}];
defvar decay_argument = (ins F32Attr:$decay);
defvar adagrad_arguments = (ins F32Attr:$epsilon);
defvar adam_arguments = (ins F32Attr:$beta1, F32Attr:$beta2, F32Attr:$epsilon);
defvar decay_format = "`decay` `(` $decay `)`";
defvar adagrad_format = "`epsilon` `(` $epsilon `)`";
defvar adam_format = "`betas` `(` $beta1 `,` $beta2 `)` `epsilon` `(` $epsilon `)`";

def Tower_SgdOp : Tower_Update<"sgd", (ins), dense_gradient, (ins), decay_argument, (outs),
                               !strconcat("$parameter", dense_operands), decay_format> {
  let summary = "Stochastic gradient descent: p <- p - r g";
  let description = [{
    ```mlir
    func.func @example(%p: tensor<4x8xf32>, %g: tensor<4x8xf32>, %factor: tensor<f32>) {
      %new = tower.sgd %p, %g, %factor rate(5.0e-2) decay(0.0)
        : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<f32>) -> tensor<4x8xf32>
      return
    }
    ```
  }];
}

def Tower_SgdRowsOp : Tower_Update<"sgd_rows", (ins), row_gradient, (ins), (ins), (outs),
                                   !strconcat("$parameter", row_operands), "", [AttrSizedOperandSegments]> {
  let summary = "tower.sgd on the distinct rows of a table";
  let description = [{
    ```mlir
    func.func @example(%p: tensor<59x8xf32>, %rows: tensor<9xi32>, %g: tensor<9x8xf32>, %count: tensor<i64>, %factor: tensor<f32>) {
      %new = tower.sgd_rows %p rows(%rows, %g, %count), %factor rate(5.0e-2)
        : (tensor<59x8xf32>, tensor<9xi32>, tensor<9x8xf32>, tensor<i64>, tensor<f32>) -> tensor<59x8xf32>
      return
    }
    func.func @fused(%p: tensor<59x8xf32>, %g: !tower.row_gradient<59x8>, %factor: tensor<f32>) {
      %new = tower.sgd_rows %p gradient(%g), %factor rate(5.0e-2)
        : (tensor<59x8xf32>, !tower.row_gradient<59x8>, tensor<f32>) -> tensor<59x8xf32>
      return
    }
    ```
  }];
}

def Tower_AdagradOp : Tower_Update<"adagrad", (ins Tower_F32Tensor:$accumulator), dense_gradient, (ins),
                                   !con(adagrad_arguments, decay_argument), (outs Tower_F32Tensor:$new_accumulator),
                                   !strconcat("$parameter `,` $accumulator", dense_operands), !strconcat(adagrad_format, decay_format)> {
  let summary = "Adagrad: a <- a + g^2, p <- p - r g / (sqrt(a) + epsilon)";
  let description = [{
    ```mlir
    func.func @example(%p: tensor<4x8xf32>, %a: tensor<4x8xf32>, %g: tensor<4x8xf32>, %factor: tensor<f32>) {
      %new, %b = tower.adagrad %p, %a, %g, %factor rate(5.0e-2) epsilon(1.0e-10) decay(0.0)
        : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<f32>) -> (tensor<4x8xf32>, tensor<4x8xf32>)
      return
    }
    ```
  }];
}

def Tower_AdagradRowsOp : Tower_Update<"adagrad_rows", (ins F32Matrix:$accumulator), row_gradient, (ins),
                                       adagrad_arguments, (outs F32Matrix:$new_accumulator),
                                       !strconcat("$parameter `,` $accumulator", row_operands), adagrad_format,
                   [AttrSizedOperandSegments]> {
  let summary = "tower.adagrad on the distinct rows of a table";
  let description = [{
    ```mlir
    func.func @example(%p: tensor<59x8xf32>, %a: tensor<59x8xf32>, %rows: tensor<9xi32>, %g: tensor<9x8xf32>, %count: tensor<i64>, %factor: tensor<f32>) {
      %new, %b = tower.adagrad_rows %p, %a rows(%rows, %g, %count), %factor rate(5.0e-2) epsilon(1.0e-10)
        : (tensor<59x8xf32>, tensor<59x8xf32>, tensor<9xi32>, tensor<9x8xf32>, tensor<i64>, tensor<f32>) -> (tensor<59x8xf32>, tensor<59x8xf32>)
      return
    }
    ```
  }];
}

def Tower_RowwiseAdagradRowsOp
    : Tower_Update<"rowwise_adagrad_rows", (ins F32Vector:$accumulator), row_gradient, (ins), adagrad_arguments,
                   (outs F32Vector:$new_accumulator), !strconcat("$parameter `,` $accumulator", row_operands), adagrad_format,
                   [AttrSizedOperandSegments]> {
  let summary = "Adagrad with one accumulator a row: a <- a + mean(g^2)";
  let description = [{
    ```mlir
    func.func @example(%p: tensor<59x8xf32>, %a: tensor<59xf32>, %rows: tensor<9xi32>, %g: tensor<9x8xf32>, %count: tensor<i64>, %factor: tensor<f32>) {
      %new, %b = tower.rowwise_adagrad_rows %p, %a rows(%rows, %g, %count), %factor rate(5.0e-2) epsilon(1.0e-10)
        : (tensor<59x8xf32>, tensor<59xf32>, tensor<9xi32>, tensor<9x8xf32>, tensor<i64>, tensor<f32>) -> (tensor<59x8xf32>, tensor<59xf32>)
      return
    }
    ```
  }];
}

def Tower_AdamOp : Tower_Update<"adam", (ins Tower_F32Tensor:$first, Tower_F32Tensor:$second), dense_gradient,
                                (ins I64Scalar:$step), !con(adam_arguments, decay_argument),
                                (outs Tower_F32Tensor:$new_first, Tower_F32Tensor:$new_second),
                                !strconcat("$parameter `,` $first `,` $second", dense_operands, "`step` `(` $step `)`"),
                                !strconcat(adam_format, decay_format)> {
  let summary = "Adam with bias correction by t = step + 1";
  let description = [{
    m <- beta1 m + (1 - beta1) g; v <- beta2 v + (1 - beta2) g^2;
    p <- p - r (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon).

    ```mlir
    func.func @example(%p: tensor<4x8xf32>, %m: tensor<4x8xf32>, %v: tensor<4x8xf32>, %g: tensor<4x8xf32>, %step: tensor<i64>, %factor: tensor<f32>) {
      %new, %n, %w = tower.adam %p, %m, %v, %g step(%step), %factor rate(1.0e-3) betas(9.0e-1, 9.99e-1) epsilon(1.0e-8) decay(0.0)
        : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<i64>, tensor<f32>) -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>)
      return
    }
    ```
  }];
}

def Tower_AdamRowsOp : Tower_Update<"adam_rows", (ins F32Matrix:$first, F32Matrix:$second), row_gradient,
                                    (ins I64Scalar:$step), adam_arguments,
                                    (outs F32Matrix:$new_first, F32Matrix:$new_second),
                                    !strconcat("$parameter `,` $first `,` $second", row_operands, "`step` `(` $step `)`"),
                                    adam_format, [AttrSizedOperandSegments]> {
  let summary = "tower.adam on the distinct rows of a table (lazy: untouched moments do not decay)";
  let description = [{
    ```mlir
    func.func @example(%p: tensor<59x8xf32>, %m: tensor<59x8xf32>, %v: tensor<59x8xf32>, %rows: tensor<9xi32>, %g: tensor<9x8xf32>, %count: tensor<i64>, %step: tensor<i64>, %factor: tensor<f32>) {
      %new, %n, %w = tower.adam_rows %p, %m, %v rows(%rows, %g, %count) step(%step), %factor rate(1.0e-3) betas(9.0e-1, 9.99e-1) epsilon(1.0e-8)
        : (tensor<59x8xf32>, tensor<59x8xf32>, tensor<59x8xf32>, tensor<9xi32>, tensor<9x8xf32>, tensor<i64>, tensor<i64>, tensor<f32>) -> (tensor<59x8xf32>, tensor<59x8xf32>, tensor<59x8xf32>)
      return
    }
    ```
  }];
}

def Tower_SquaredNormOp : Tower_Op<"squared_norm", [Pure]> {
  let summary = "Sum of squares; of the first `count` rows only where a count is given";
  let description = [{
    ```mlir
    func.func @example(%g: tensor<9x8xf32>, %count: tensor<i64>) {
      %n = tower.squared_norm %g count(%count) : (tensor<9x8xf32>, tensor<i64>) -> tensor<f32>
      return
    }
    ```
  }];
  let arguments = (ins Tower_F32Tensor:$input, Optional<I64Scalar>:$count);
  let results = (outs F32Scalar:$result);
  let assemblyFormat = "$input (`count` `(` $count^ `)`)? attr-dict `:` functional-type(operands, results)";
}

def Tower_ClipScaleOp : Tower_Op<"clip_scale", [Pure]> {
  let summary = "What gradients are multiplied with so that their global norm is at most `norm`";
  let description = [{
    `min(1, norm / sqrt(sum of squared norms))`, 1 where all are zero.

    ```mlir
    func.func @example(%a: tensor<f32>, %b: tensor<f32>) {
      %scale = tower.clip_scale %a, %b norm(1.0)
      return
    }
    ```
  }];
  let arguments = (ins Variadic<F32Scalar>:$squared_norms, F32Attr:$norm);
  let results = (outs F32Scalar:$scale);
  let assemblyFormat = "$squared_norms `norm` `(` $norm `)` attr-dict";
}

#endif
