// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Dataflow: from the step's number to rows, masks and embeddings.
//
// Everything random is a function of (seed, stream, step, position): Philox4x32-10 as docs/Manifest.md has it, so that the
// backward pass draws the same numbers again and nothing random is stored.

#ifndef DIALECT_TOWERDATAOPS_TD
#define DIALECT_TOWERDATAOPS_TD

include "dialect/TowerDialect.td"
include "dialect/TowerInterfaces.td"

// ---- Sampling ----------------------------------------------------------------------------------------------------------

def Tower_SamplePairsOp : Tower_Op<"sample_pairs", [Pure]> {
  let summary = "The places of a batch's pairs in the training data";
  let description = [{
    An epoch is a keyed bijection of all `n` pairs (n = the extent of `pairs`), cut into floor(n / batch) batches; the rest
    is dropped. `positions[i]` is the place of pair i of the batch at `step`.

    ```mlir
    func.func @example(%step: tensor<i64>, %seed: tensor<i64>, %pairs: tensor<?xi32>) {
      %positions = tower.sample_pairs %step, %seed, %pairs stream("pairs") : tensor<?xi32> -> tensor<1024xi32>
      return
    }
    ```
  }];
  let arguments = (ins I64Scalar:$step, I64Scalar:$seed, I32Vector:$pairs, StrAttr:$stream);
  let results = (outs I32Vector:$positions);
  let assemblyFormat = [{
    $step `,` $seed `,` $pairs `stream` `(` $stream `)` attr-dict `:` type($pairs) `->` type($positions)
  }];
}

def Tower_SampleUniformOp : Tower_Op<"sample_uniform", [Pure]> {
  let summary = "Rows drawn uniformly from the catalogue, with replacement (paper, section 4.3)";
  let description = [{
    `rows[i]` is uniform in [0, items).

    ```mlir
    func.func @example(%step: tensor<i64>, %seed: tensor<i64>, %items: tensor<i64>) {
      %rows = tower.sample_uniform %step, %seed, %items stream("ssl/items") : tensor<1024xi32>
      return
    }
    ```
  }];
  let arguments = (ins I64Scalar:$step, I64Scalar:$seed, I64Scalar:$items, StrAttr:$stream);
  let results = (outs I32Vector:$rows);
  let assemblyFormat = "$step `,` $seed `,` $items `stream` `(` $stream `)` attr-dict `:` type($rows)";
}

def Tower_FeatureMaskOp : Tower_Op<"feature_mask", [Pure]> {
  let summary = "Draws which features of an encoder are masked at this step (paper, section 4.2.1)";
  let description = [{
    `mask[f]` is true for the `count` features that are masked. Without `order` they are drawn at random without
    replacement (RFM). With it a seed feature s is drawn, and masked with the first count - 1 features of row s of
    `order`: the other features by falling mutual information with s (CFM).

    ```mlir
    func.func @example(%step: tensor<i64>, %seed: tensor<i64>, %order: tensor<9x8xi32>) {
      %random = tower.feature_mask %step, %seed count(4) stream("ssl/mask") : tensor<9xi1>
      %correlated = tower.feature_mask %step, %seed order(%order : tensor<9x8xi32>) count(5) stream("ssl/mask") : tensor<9xi1>
      return
    }
    ```
  }];
  let arguments = (ins I64Scalar:$step, I64Scalar:$seed, Optional<I32Matrix>:$order,
                       ConfinedAttr<I64Attr, [IntPositive]>:$count, StrAttr:$stream);
  let results = (outs I1Vector:$mask);
  let assemblyFormat = [{
    $step `,` $seed (`order` `(` $order^ `:` type($order) `)`)? `count` `(` $count `)` `stream` `(` $stream `)` attr-dict
    `:` type($mask)
  }];
  let hasVerifier = 1;
}

def Tower_ComplementOp : Tower_Op<"complement", [Pure, SameOperandsAndResultType]> {
  let summary = "The mask of the complementary view: masked where the other is not";
  let description = [{
    ```mlir
    func.func @example(%mask: tensor<9xi1>) {
      %other = tower.complement %mask : tensor<9xi1>
      return
    }
    ```
  }];
  let arguments = (ins I1Vector:$mask);
  let results = (outs I1Vector:$result);
  let assemblyFormat = "$mask attr-dict `:` type($result)";
}

def Tower_TakeOp : Tower_Op<"take", [Pure]> {
  let summary = "Elements of a column at given rows";
  let description = [{
    `result[i] = column[rows[i]]`.

    ```mlir
    func.func @example(%column: tensor<?xi32>, %rows: tensor<8xi32>) {
      %taken = tower.take %column[%rows] : (tensor<?xi32>, tensor<8xi32>) -> tensor<8xi32>
      return
    }
    ```
  }];
  let arguments = (ins AnyTypeOf<[I32Vector, F32Vector]>:$column, I32Vector:$rows);
  let results = (outs AnyTypeOf<[I32Vector, F32Vector]>:$result);
  let assemblyFormat = "$column `[` $rows `]` attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Tower_DistinctOp : Tower_Op<"distinct", [Pure, AllTypesMatch<["rows", "inverse"]>,
                                             AllTypesMatch<["distinct", "counts"]>]> {
  let summary = "The distinct rows of a batch";
  let description = [{
    `distinct` are the rows in the order of their first appearance, `inverse[i]` is the place of rows[i] among them, and
    `counts[u]` how often distinct row u occurs.

    ```mlir
    func.func @example(%rows: tensor<8xi32>) {
      %distinct, %inverse, %counts = tower.distinct %rows : tensor<8xi32> -> tensor<?xi32, #tower.bound<8>>
      return
    }
    ```
  }];
  let arguments = (ins I32Vector:$rows);
  let results = (outs I32Vector:$distinct, I32Vector:$inverse, I32Vector:$counts);
  let assemblyFormat = "$rows attr-dict `:` type($rows) `->` type($distinct)";
  let hasVerifier = 1;
}

// ---- Features ----------------------------------------------------------------------------------------------------------

def Tower_LookupOp : Tower_Op<"lookup", [Pure, DeclareOpInterfaceMethods<Tower_Differentiable>,
                                         AttrSizedOperandSegments]> {
  let summary = "Embeddings of a single-valued feature";
  let description = [{
    `result[i] = table[ids[rows[i]]]`. Where `mask[feature]` is true the feature is masked in this view: nothing is
    fetched, the result is zero and the gradient has no rows. The rows are added to `onto` where it is given.

    ```mlir
    func.func @example(%table: tensor<59x16xf32>, %ids: tensor<?xi32>, %rows: tensor<8xi32>, %mask: tensor<9xi1>) {
      %e = tower.lookup %table, %ids[%rows] : (tensor<59x16xf32>, tensor<?xi32>, tensor<8xi32>) -> tensor<8x16xf32>
      %v = tower.lookup %table, %ids[%rows] unless(%mask) feature(3) : (tensor<59x16xf32>, tensor<?xi32>, tensor<8xi32>, tensor<9xi1>) -> tensor<8x16xf32>
      %sum = tower.lookup %table, %ids[%rows] onto(%e) : (tensor<59x16xf32>, tensor<?xi32>, tensor<8xi32>, tensor<8x16xf32>) -> tensor<8x16xf32>
      return
    }
    ```
  }];
  let arguments = (ins F32Matrix:$table, I32Vector:$ids, I32Vector:$rows, Optional<I1Vector>:$mask,
                       Optional<F32Matrix>:$onto, OptionalAttr<I64Attr>:$feature);
  let results = (outs F32Matrix:$result);
  let assemblyFormat = [{
    $table `,` $ids `[` $rows `]` (`unless` `(` $mask^ `)` `feature` `(` $feature `)`)? (`onto` `(` $onto^ `)`)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

defvar pooled_arguments = (ins I64Vector:$offsets, I32Vector:$values, I32Vector:$rows, Optional<I1Vector>:$mask,
                               Optional<I64Scalar>:$step, Optional<I64Scalar>:$seed, Tower_Pooling:$pooling,
                               ConfinedAttr<I64Attr, [IntPositive]>:$longest, OptionalAttr<I64Attr>:$feature,
                               OptionalAttr<F32Attr>:$dropout, OptionalAttr<StrAttr>:$stream);
defvar pooled_places = [{
  `,` $offsets `,` $values `[` $rows `]` $pooling `longest` `(` $longest `)`
  (`unless` `(` $mask^ `)` `feature` `(` $feature `)`)?
  (`dropout` `(` $dropout^ `,` $stream `,` $step `,` $seed `)`)?
}];
defvar format_end = " attr-dict `:` functional-type(operands, results)";

def Tower_PooledLookupOp : Tower_Op<"pooled_lookup", [Pure, DeclareOpInterfaceMethods<Tower_Differentiable>,
                                                      AttrSizedOperandSegments]> {
  let summary = "Pooled embeddings of a multi-valued feature";
  let description = [{
    Row r of the column has `values[offsets[r] .. offsets[r + 1])`. With S the values of row rows[i] that survive dropout:

        mean: 1/|S| sum_{v in S} table[v]     sum: sum_{v in S} table[v]     sqrtn: 1/sqrt|S| sum_{v in S} table[v]

    and zero for empty S. With `dropout(p, stream, step, seed)` value number j of position i is dropped if its random
    number is below p; survivors are not rescaled otherwise. Masked, and added to `onto`, as in `tower.lookup`. No row has
    more than `longest` values.

    ```mlir
    func.func @example(%table: tensor<800x64xf32>, %offsets: tensor<?xi64>, %values: tensor<?xi32>, %rows: tensor<8xi32>,
                       %step: tensor<i64>, %seed: tensor<i64>) {
      %e = tower.pooled_lookup %table, %offsets, %values[%rows] mean longest(20) dropout(3.0e-1, "ssl/1/words", %step, %seed)
        : (tensor<800x64xf32>, tensor<?xi64>, tensor<?xi32>, tensor<8xi32>, tensor<i64>, tensor<i64>) -> tensor<8x64xf32>
      return
    }
    ```
  }];
  let arguments = !con((ins F32Matrix:$table), pooled_arguments, (ins Optional<F32Matrix>:$onto));
  let results = (outs F32Matrix:$result);
  let assemblyFormat = !strconcat("$table", pooled_places, "(`onto` `(` $onto^ `)`)?", format_end);
  let hasVerifier = 1;
}

def Tower_DenseOp : Tower_Op<"dense", [Pure, AttrSizedOperandSegments]> {
  let summary = "Numbers of a dense feature, scaled";
  let description = [{
    `result[i] = numbers[rows[i]]`, or `(numbers[rows[i]] - mean) / deviation` (standardized), or the same of
    `log(1 + numbers[rows[i]])` (log_standardized).

    ```mlir
    func.func @example(%numbers: tensor<?x1xf32>, %rows: tensor<8xi32>, %mean: tensor<1xf32>, %deviation: tensor<1xf32>) {
      %x = tower.dense %numbers[%rows] log_standardized(%mean, %deviation)
        : (tensor<?x1xf32>, tensor<8xi32>, tensor<1xf32>, tensor<1xf32>) -> tensor<8x1xf32>
      %y = tower.dense %numbers[%rows] none : (tensor<?x1xf32>, tensor<8xi32>) -> tensor<8x1xf32>
      return
    }
    ```
  }];
  let arguments = (ins F32Matrix:$numbers, I32Vector:$rows, Optional<F32Vector>:$mean, Optional<F32Vector>:$deviation,
                       Tower_Scaling:$scaling);
  let results = (outs F32Matrix:$result);
  let assemblyFormat = [{
    $numbers `[` $rows `]` $scaling (`(` $mean^ `,` $deviation `)`)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif
