// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The parts of --tower-build-step: what the model keeps, how towers and losses become dataflow, how parameters change.
#ifndef TOWER_PASSES_BUILDSTEP_H
#define TOWER_PASSES_BUILDSTEP_H

#include "passes/FunctionBuilder.h"
#include "llvm/ADT/MapVector.h"

namespace tower {

/// Rows of queries or items that an inference function embeds at once.
constexpr int64_t embedBatch = 256;

/// What a view of an encoder's features leaves out. By default nothing.
struct View {
  mlir::Value mask;   ///< tensor<k x i1>, or null.
  float dropout = 0;  ///< Of the values of multi-valued features.
  std::string stream; ///< Dropout's random stream is `stream`/FEATURE.
};

/// Declares the tensors that the model's losses need: tables, default rows, weights and biases, the moments of dense
/// features, and the optimizers' slots. Returns the names of the parameters, in order.
llvm::SmallVector<std::string> declareTensors(ModelOp model, mlir::OpBuilder &builder);

/// True if some loss masks features of the encoder, so that it owns default rows.
bool isMasked(EncoderOp encoder);

/// How many contributions each table can get in one step: a static bound.
using LookupCounts = llvm::MapVector<mlir::Value, int64_t>;

/// Embeds `rows` of the encoder's entity (paper, section 4.1); counts its lookups.
mlir::Value applyEncoder(FunctionBuilder &function, EncoderOp encoder, mlir::Value rows, const View &view,
                         LookupCounts &lookups);

/// Evaluates all losses at this step; adds each to the function's results. Returns their weighted sum.
mlir::Value buildLosses(FunctionBuilder &function, ModelOp model, LookupCounts &lookups);

/// Updates all parameters by the gradient of `loss`, with clipping where the model wants it.
void buildUpdates(FunctionBuilder &function, ModelOp model, mlir::Value loss, llvm::ArrayRef<std::string> parameters,
                  const LookupCounts &lookups);

} // namespace tower

#endif
