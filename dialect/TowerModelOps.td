// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The declared model: symbol ops that read like the user's spec.

#ifndef DIALECT_TOWERMODELOPS_TD
#define DIALECT_TOWERMODELOPS_TD

include "dialect/TowerDialect.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"

class Tower_Declaration<string mnemonic, string parent, list<Trait> traits = []>
    : Tower_Op<mnemonic, !listconcat([HasParent<parent>], traits)>;

class Tower_Container<string mnemonic, list<Trait> traits = []>
    : Tower_Op<mnemonic, !listconcat([NoRegionArguments, NoTerminator, SingleBlock, GraphRegionNoTerminator], traits)> {
  let regions = (region SizedRegion<1>:$body);
}

def Tower_ModelOp : Tower_Container<"model"> {
  let summary = "A two-tower model as its spec declares it";
  let description = [{
    Holds tables, entities, encoders, losses and the training options; refers to nothing outside itself. Its name is no
    symbol: a model may be called like a function that is made from it. Names are unique among parts of one kind, as in
    the spec: a table, an entity and an encoder may all be called @item.

    ```mlir
    tower.model @tiny {
      tower.table @section rows(59) dim(16) init(normal 0.05)
      tower.entity @package {
        tower.single_feature @section table(@section) column("section")
      }
      tower.encoder @item entity(@package) features([@section]) output(normalized) {
        tower.layer 32 relu bias init(glorot)
      }
      tower.in_batch_softmax_loss @main query(@item) item(@item) temperature(0.1) weight(1.0) remove_accidental_hits
      tower.training batch(64) tables(adagrad, {rate = 0.05 : f32}) dense(sgd, {rate = 0.1 : f32})
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$model_name);
  let assemblyFormat = "$model_name attr-dict-with-keyword $body";
  let extraClassDeclaration = [{
    /// The part of that kind and name, or null.
    TableOp table(::mlir::FlatSymbolRefAttr name);
    EntityOp entity(::mlir::FlatSymbolRefAttr name);
    EncoderOp encoder(::mlir::FlatSymbolRefAttr name);
    /// The first training options. There are some in every valid model.
    TrainingOp training();
  }];
  let hasRegionVerifier = 1;
}

def Tower_InitKind : Tower_Enum<"InitKind", "how first values are drawn",
                                ["zero", "constant", "normal", "uniform", "glorot", "mean", "deviation"]>;

def Tower_InitAttr : AttrDef<Tower_Dialect, "Init"> {
  let mnemonic = "init";
  let summary = "First values of a tensor";
  let description = [{
    `normal`: deviation; `uniform`: half width; `constant`: the value; `glorot`: uniform in +-sqrt(6 / (inputs + outputs)).
    `mean` and `deviation` are those of a dense column over the catalogue. Seed 0 stands for the run's seed.
  }];
  let parameters = (ins EnumParameter<Tower_InitKind>:$kind, APFloatParameter<"a single-precision number">:$scale, "uint32_t":$seed);
  let hasCustomAssemblyFormat = 1;
}

def Tower_TableOp : Tower_Declaration<"table", "ModelOp"> {
  let summary = "An embedding table";
  let description = [{
    `rows` is the capacity, row 0 the trained row of missing values. Features of any encoder may share a table.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, ConfinedAttr<I64Attr, [IntPositive]>:$rows,
                       ConfinedAttr<I64Attr, [IntPositive]>:$dim, Tower_InitAttr:$init);
  let assemblyFormat = "$sym_name `rows` `(` $rows `)` `dim` `(` $dim `)` `init` `(` custom<Init>($init) `)` attr-dict";
}

def Tower_EntityOp : Tower_Container<"entity", [HasParent<"ModelOp">, SymbolTable]> {
  let summary = "What the data describes: a query or an item";
  let arguments = (ins SymbolNameAttr:$sym_name);
  let assemblyFormat = "$sym_name attr-dict-with-keyword $body";
}

class Tower_Feature<string mnemonic> : Tower_Declaration<mnemonic, "EntityOp", [Symbol]>;

def Tower_SingleFeatureOp : Tower_Feature<"single_feature"> {
  let summary = "One categorical value a row";
  let arguments = (ins SymbolNameAttr:$sym_name, FlatSymbolRefAttr:$table, StrAttr:$column);
  let assemblyFormat = "$sym_name `table` `(` $table `)` `column` `(` $column `)` attr-dict";
}

def Tower_MultiFeatureOp : Tower_Feature<"multi_feature"> {
  let summary = "Any number of categorical values a row, pooled into one vector";
  let description = [{
    `longest` bounds the values of a row, as the data's schema has it. A row without values gives the zero vector.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, FlatSymbolRefAttr:$table, Tower_Pooling:$pooling,
                       ConfinedAttr<I64Attr, [IntPositive]>:$longest, StrAttr:$column);
  let assemblyFormat = [{
    $sym_name `table` `(` $table `)` `pooling` `(` $pooling `)` `longest` `(` $longest `)` `column` `(` $column `)` attr-dict
  }];
}

def Tower_DenseFeatureOp : Tower_Feature<"dense_feature"> {
  let summary = "Real numbers";
  let arguments = (ins SymbolNameAttr:$sym_name, ConfinedAttr<I64Attr, [IntPositive]>:$width, Tower_Scaling:$scaling,
                       StrAttr:$column);
  let assemblyFormat = [{
    $sym_name `width` `(` $width `)` `scaling` `(` $scaling `)` `column` `(` $column `)` attr-dict
  }];
}

def Tower_EncoderOp : Tower_Container<"encoder", [HasParent<"ModelOp">]> {
  let summary = "A tower: features side by side, then layers (paper, section 4.1)";
  let description = [{
    The order of `features` is the order of the first layer's segments and of every mask over this encoder.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, FlatSymbolRefAttr:$entity,
                       TypedArrayAttrBase<FlatSymbolRefAttr, "features">:$features, Tower_Output:$output);
  let assemblyFormat = [{
    $sym_name `entity` `(` $entity `)` `features` `(` $features `)` `output` `(` $output `)` attr-dict-with-keyword $body
  }];
}

def Tower_LayerOp : Tower_Declaration<"layer", "EncoderOp"> {
  let summary = "A fully connected layer";
  let arguments = (ins ConfinedAttr<I64Attr, [IntPositive]>:$units, Tower_Activation:$activation, UnitAttr:$bias,
                       Tower_InitAttr:$init);
  let assemblyFormat = "$units $activation (`bias` $bias^)? `init` `(` custom<Init>($init) `)` attr-dict";
}

class Tower_LossDeclaration<string mnemonic> : Tower_Declaration<mnemonic, "ModelOp">;

defvar augmentation_arguments = (ins
  DefaultValuedAttr<Tower_Mask, "::tower::Mask::none">:$mask,
  DefaultValuedAttr<I64Attr, "0">:$masked_features,
  DefaultValuedAttr<F32Attr, "0.0f">:$value_dropout,
  DefaultValuedAttr<Tower_MutualInformation, "::tower::MutualInformation::plugin">:$mutual_information);

defvar augmentation_format = [{
  oilist(`mask` `(` $mask `,` $masked_features `)` | `dropout` `(` $value_dropout `)` | `mi` `(` $mutual_information `)`
}];

def Tower_InBatchSoftmaxLossOp : Tower_LossDeclaration<"in_batch_softmax_loss"> {
  let summary = "Softmax cross entropy over the items of the batch (paper, eq. 6)";
  let description = [{
    An augmentation applies to the item side (the paper's feature dropout baseline).
  }];
  let arguments = !con((ins SymbolNameAttr:$sym_name, FlatSymbolRefAttr:$query, FlatSymbolRefAttr:$item,
                            F32Attr:$temperature, F32Attr:$weight, UnitAttr:$log_q,
                            UnitAttr:$remove_accidental_hits, UnitAttr:$remove_same_query_positives,
                            UnitAttr:$pair_weights), augmentation_arguments);
  let assemblyFormat = !strconcat([{
    $sym_name `query` `(` $query `)` `item` `(` $item `)` `temperature` `(` $temperature `)` `weight` `(` $weight `)`
  }], augmentation_format, [{
    | `log_q` $log_q | `remove_accidental_hits` $remove_accidental_hits
    | `remove_same_query_positives` $remove_same_query_positives | `pair_weights` $pair_weights) attr-dict
  }]);
}

def Tower_ContrastiveLossOp : Tower_LossDeclaration<"contrastive_loss"> {
  let summary = "Two augmented views of an item find each other (paper, eq. 3)";
  let arguments = !con((ins SymbolNameAttr:$sym_name, FlatSymbolRefAttr:$encoder, Tower_Items:$items,
                            ConfinedAttr<I64Attr, [IntPositive]>:$batch, Tower_Views:$views, Tower_Negatives:$negatives,
                            F32Attr:$temperature, F32Attr:$weight, UnitAttr:$remove_accidental_hits),
                       augmentation_arguments);
  let assemblyFormat = !strconcat([{
    $sym_name `encoder` `(` $encoder `)` `items` `(` $items `,` $batch `)` `views` `(` $views `)`
    `negatives` `(` $negatives `)` `temperature` `(` $temperature `)` `weight` `(` $weight `)`
  }], augmentation_format, [{ | `remove_accidental_hits` $remove_accidental_hits) attr-dict }]);
}

def Tower_SpreadOutLossOp : Tower_LossDeclaration<"spread_out_loss"> {
  let summary = "Pushes different items apart: the paper's SO baseline in its original form";
  let arguments = (ins SymbolNameAttr:$sym_name, FlatSymbolRefAttr:$encoder, Tower_Items:$items,
                       ConfinedAttr<I64Attr, [IntPositive]>:$batch, F32Attr:$weight);
  let assemblyFormat = [{
    $sym_name `encoder` `(` $encoder `)` `items` `(` $items `,` $batch `)` `weight` `(` $weight `)` attr-dict
  }];
}

def Tower_TrainingOp : Tower_Declaration<"training", "ModelOp"> {
  let summary = "How the model is trained";
  let description = [{
    An optimizer is its kind and a dictionary of its float options: `rate`; `initial` and `epsilon` (adagrad);
    `beta1`, `beta2` and `epsilon` (adam); `weight_decay`. Length, schedule and validation concern the runtime alone and
    are not repeated here.
  }];
  let arguments = (ins ConfinedAttr<I64Attr, [IntMinValue<2>]>:$batch, Tower_OptimizerKind:$tables,
                       DictionaryAttr:$table_options, Tower_OptimizerKind:$dense, DictionaryAttr:$dense_options,
                       OptionalAttr<F32Attr>:$clip_norm);
  let assemblyFormat = [{
    `batch` `(` $batch `)` `tables` `(` $tables `,` $table_options `)` `dense` `(` $dense `,` $dense_options `)`
    (`clip_norm` `(` $clip_norm^ `)`)? attr-dict
  }];
}

def Tower_TensorOp : Tower_Op<"tensor", [Symbol]> {
  let summary = "A tensor that the program keeps between steps";
  let description = [{
    Parameters are trained, slots belong to the optimizer, constants are computed once from the data. A checkpoint holds
    them all under these names. `source` names the column of a `mean` or a `deviation`, and its scaling.

    ```mlir
    tower.tensor @"table/section" parameter tensor<59x16xf32> init(normal 0.05)
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Tower_Role:$role, TypeAttrOf<Tower_F32Tensor>:$type, Tower_InitAttr:$init,
                       OptionalAttr<DictionaryAttr>:$source);
  let assemblyFormat = "$sym_name $role $type `init` `(` custom<Init>($init) `)` (`of` $source^)? attr-dict";
}

#endif
