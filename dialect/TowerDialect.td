// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The `tower` dialect: its types, enumerations and the classes that its ops share.

#ifndef DIALECT_TOWERDIALECT_TD
#define DIALECT_TOWERDIALECT_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Tower_Dialect : Dialect {
  let name = "tower";
  let summary = "Two-tower recommenders with self-supervised learning";
  let description = [{
    A model exists in two forms. *Declared*, it reads like the user's spec: symbol ops for tables, entities, encoders,
    losses and training inside a `tower.model`. As *dataflow*, it is a few functions over tensors of static shapes: the
    training step and the inference functions. Rows of data, masks and counts that are known only at run time are
    operands. Every op carries the line and column of the spec that it comes from.

    "The paper" is Yao et al., Self-supervised Learning for Large-scale Item Recommendations, CIKM 2021.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let discardableAttrs = (ins
    "::mlir::DictionaryAttr":$argument,
    "::mlir::StringAttr":$result,
    "::mlir::IntegerAttr":$updates,
    "::mlir::IntegerAttr":$arena_bytes
  );
}

// ---- Types -------------------------------------------------------------------------------------------------------------

def Tower_RowGradientType : TypeDef<Tower_Dialect, "RowGradient"> {
  let mnemonic = "row_gradient";
  let summary = "The gradient of a table, as contributions to some of its rows";
  let description = [{
    A multiset of pairs (row, vector of `dim` numbers) whose sum by row is the gradient of a table of `rows` x `dim`.
    It is never materialized as a dense table; `tower.sum_rows` turns it into distinct rows.

    Example: `!tower.row_gradient<59x16>`
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$dim);
  let hasCustomAssemblyFormat = 1;
}

def Tower_BoundAttr : AttrDef<Tower_Dialect, "Bound"> {
  let mnemonic = "bound";
  let summary = "The most rows that a tensor can have whose first extent is known when the step runs";
  let description = [{
    The encoding of a tensor whose rows were counted at run time, as by `tower.distinct`. The value carries its extent; its
    memory is planned for the bound, and loops run to the extent.

    Example: `tensor<?x128xf32, #tower.bound<1024>>`
  }];
  let parameters = (ins "int64_t":$rows);
  let assemblyFormat = "`<` $rows `>`";
}

class Tower_Scalar<Type element, string build> : Type<0DTensorOf<[element]>.predicate, 0DTensorOf<[element]>.summary,
                                                     "::mlir::RankedTensorType">,
                                                 BuildableType<"::mlir::RankedTensorType::get({}, " # build # ")">;
def F32Scalar : Tower_Scalar<F32, "$_builder.getF32Type()">;
def I64Scalar : Tower_Scalar<I64, "$_builder.getI64Type()">;
def F32Vector : 1DTensorOf<[F32]>;
def I32Vector : 1DTensorOf<[I32]>;
def I64Vector : 1DTensorOf<[I64]>;
def I1Vector : 1DTensorOf<[I1]>;
def F32Matrix : 2DTensorOf<[F32]>;
def I32Matrix : 2DTensorOf<[I32]>;
def Tower_F32Tensor : RankedTensorOf<[F32]>;

// ---- Enumerations ------------------------------------------------------------------------------------------------------

class Tower_Enum<string name, string summary, list<string> cases>
    : I32EnumAttr<name, summary,
        !foreach(i, !range(!size(cases)), I32EnumAttrCase<cases[i], i>)> {
  let cppNamespace = "::tower";
}

def Tower_Pooling : Tower_Enum<"Pooling", "how the values of a multi-valued feature become one vector",
                               ["mean", "sum", "sqrtn"]>;
def Tower_Scaling : Tower_Enum<"Scaling", "how dense numbers are scaled",
                               ["none", "standardized", "log_standardized"]>;
def Tower_Activation : Tower_Enum<"Activation", "what follows a layer's product", ["identity", "relu", "tanh", "gelu"]>;
def Tower_Output : Tower_Enum<"Output", "what an encoder does with its last layer", ["normalized", "raw"]>;
def Tower_Mask : Tower_Enum<"Mask", "which features a view masks", ["none", "random", "correlated"]>;
def Tower_MutualInformation : Tower_Enum<"MutualInformation", "what correlated masks compare", ["plugin", "corrected"]>;
def Tower_Views : Tower_Enum<"Views", "how the masks of two views relate", ["complementary", "same", "independent"]>;
def Tower_Items : Tower_Enum<"Items", "where a loss takes its items from", ["uniform", "batch"]>;
def Tower_Negatives : Tower_Enum<"Negatives", "what a view is contrasted with", ["cross_view", "all"]>;
def Tower_Role : Tower_Enum<"Role", "what a tensor of the model is for", ["parameter", "slot", "constant"]>;
def Tower_OptimizerKind : Tower_Enum<"OptimizerKind", "an optimizer", ["sgd", "adagrad", "rowwise_adagrad", "adam"]>;
def Tower_Decay : Tower_Enum<"Decay", "how rates fall after warm-up", ["constant", "linear", "cosine"]>;

// ---- Ops ---------------------------------------------------------------------------------------------------------------

class Tower_Op<string mnemonic, list<Trait> traits = []> : Op<Tower_Dialect, mnemonic, traits>;

#endif
