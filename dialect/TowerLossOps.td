// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Dataflow: losses, their sum, and the request for its gradient; scoring.

#ifndef DIALECT_TOWERLOSSOPS_TD
#define DIALECT_TOWERLOSSOPS_TD

include "dialect/TowerDialect.td"
include "dialect/TowerInterfaces.td"

defvar softmax_arguments = (ins F32Matrix:$query, F32Matrix:$item, Optional<I32Vector>:$ids, Optional<F32Vector>:$log_q,
                                Optional<F32Vector>:$weights, Optional<I32Vector>:$query_ids,
                                Optional<I32Vector>:$positives, Optional<I32Vector>:$counts,
                                Optional<I32Vector>:$query_rows, F32Attr:$temperature);
defvar softmax_format = [{
  $query `,` $item (`ids` `(` $ids^ `)`)? (`log_q` `(` $log_q^ `)`)? (`weights` `(` $weights^ `)`)?
  (`query_ids` `(` $query_ids^ `)`)? (`positives` `(` $positives^ `)` `counts` `(` $counts `)`)? (`query_rows` `(` $query_rows^ `)`)? `temperature` `(` $temperature `)` attr-dict `:` functional-type(operands, results)
}];

def Tower_InBatchSoftmaxOp : Tower_Op<"in_batch_softmax", [Pure, DeclareOpInterfaceMethods<Tower_Differentiable>,
                                                           AttrSizedOperandSegments]> {
  let summary = "Softmax cross entropy of N queries over U >= N columns, the first N of which are their positives";
  let description = [{
    Serves the main task (paper, eq. 6) and the contrastive one (eq. 3). With W = sum_i w_i (w = 1 without `weights`):

        s_iu    = <q_i, x_u> / temperature - log_q_u       for every column, the positive included
        Z_i     = sum_u m_iu exp(s_iu)                     m_iu: 0 where column u is left out of row i, else 1
        lse_i   = log Z_i
        loss    = 1/W sum_i w_i (lse_i - s_ii)

    Left out are columns u != i with ids_u = ids_i (accidental hits), given `ids` [U], and columns u != i, u < N, with
    query_ids_u = query_ids_i, given `query_ids` [N]. They are left out of the sum, never subtracted from it.

    Given `positives` [N] and `counts` [U], columns are distinct items, column u drawn counts_u times, and row i's positive
    is column p = positives_i: `loss = 1/W sum_i w_i (lse_i - s_ip)`, and m_iu = counts_u, but m_ip = 1 where `ids` asks to
    leave out the other copies of the positive. So equal columns are multiplied once, and the loss is the same.

    Given `query_rows` [N] too, rows of `query` are distinct queries, and q_i is its row query_rows_i: the scores of equal
    queries are computed once. `lse` and `weights` still have an entry for each of the N pairs.

    ```mlir
    func.func @example(%q: tensor<8x32xf32>, %x: tensor<8x32xf32>, %ids: tensor<8xi32>, %log_q: tensor<8xf32>) {
      %loss, %lse = tower.in_batch_softmax %q, %x ids(%ids) log_q(%log_q) temperature(1.0e-1)
        : (tensor<8x32xf32>, tensor<8x32xf32>, tensor<8xi32>, tensor<8xf32>) -> (tensor<f32>, tensor<8xf32>)
      return
    }
    ```
  }];
  let arguments = softmax_arguments;
  let results = (outs F32Scalar:$loss, F32Vector:$lse);
  let assemblyFormat = softmax_format;
  let hasVerifier = 1;
}

def Tower_SpreadOutOp : Tower_Op<"spread_out", [Pure, DeclareOpInterfaceMethods<Tower_Differentiable>]> {
  let summary = "Mean squared similarity of different rows: 1/N sum_i sum_{j != i} <z_i, z_j>^2";
  let description = [{
    The spread-out regularizer (paper, section 5, baseline SO).

    ```mlir
    func.func @example(%z: tensor<8x32xf32>) {
      %loss = tower.spread_out %z : tensor<8x32xf32>
      return
    }
    ```
  }];
  let arguments = (ins F32Matrix:$input);
  let results = (outs F32Scalar:$loss);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}

def Tower_WeightedSumOp : Tower_Op<"weighted_sum", [Pure, DeclareOpInterfaceMethods<Tower_Differentiable>]> {
  let summary = "The total loss: sum of weight x loss (paper, eq. 5)";
  let description = [{
    ```mlir
    func.func @example(%main: tensor<f32>, %ssl: tensor<f32>) {
      %total = tower.weighted_sum %main, %ssl weights([1.0, 0.3])
      return
    }
    ```
  }];
  let arguments = (ins Variadic<F32Scalar>:$inputs, DenseF32ArrayAttr:$weights);
  let results = (outs F32Scalar:$result);
  let assemblyFormat = "$inputs `weights` `(` $weights `)` attr-dict";
  let hasVerifier = 1;
}

def Tower_GradientOp : Tower_Op<"gradient", [Pure]> {
  let summary = "The gradient of a loss with respect to parameters";
  let description = [{
    Stands for the backward pass until `--tower-differentiate` writes it out. The gradient of a matrix that is looked up is
    a `!tower.row_gradient`, of anything else a tensor of the parameter's type.

    ```mlir
    func.func @example(%table: tensor<59x16xf32>, %ids: tensor<?xi32>, %rows: tensor<8xi32>) {
      %e = tower.lookup %table, %ids[%rows] : (tensor<59x16xf32>, tensor<?xi32>, tensor<8xi32>) -> tensor<8x16xf32>
      %loss = tower.spread_out %e : tensor<8x16xf32>
      %g = tower.gradient %loss wrt(%table) : (tensor<f32>, tensor<59x16xf32>) -> !tower.row_gradient<59x16>
      return
    }
    ```
  }];
  let arguments = (ins F32Scalar:$loss, Variadic<Tower_F32Tensor>:$parameters);
  let results = (outs Variadic<AnyTypeOf<[Tower_F32Tensor, Tower_RowGradientType]>>:$gradients);
  let assemblyFormat = "$loss `wrt` `(` $parameters `)` attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Tower_TopKOp : Tower_Op<"top_k", [Pure]> {
  let summary = "The k best items of the catalogue for each query";
  let description = [{
    Scores are `<q_i, x_u>`, falling; equal scores are ordered by row number. Query i leaves out the rows
    `exclude_rows[exclude_offsets[i] .. exclude_offsets[i + 1])`, which are rising. k is the results' second extent, which
    the caller chooses; where fewer than k items are left, row -1 with score -inf fills the rest.

    ```mlir
    func.func @example(%q: tensor<?x32xf32>, %x: tensor<?x32xf32>, %offsets: tensor<?xi64>, %rows: tensor<?xi32>) {
      %scores, %best = tower.top_k %q, %x exclude(%offsets, %rows)
        : (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?xi32>) -> (tensor<?x?xf32>, tensor<?x?xi32>)
      return
    }
    ```
  }];
  let arguments = (ins F32Matrix:$queries, F32Matrix:$catalogue, I64Vector:$exclude_offsets, I32Vector:$exclude_rows);
  let results = (outs F32Matrix:$scores, I32Matrix:$rows);
  let assemblyFormat = [{
    $queries `,` $catalogue `exclude` `(` $exclude_offsets `,` $exclude_rows `)` attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif
