// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ranking the whole catalogue for held-out queries: by a model, by popularity, by content.
#ifndef TOWER_RUNTIME_EVALUATION_H
#define TOWER_RUNTIME_EVALUATION_H

#include "runtime/Model.h"
#include "runtime/Ranking.h"

#include <optional>

namespace tower::rt {

/// What is to be found, and what is left out of the answers; an item that is left out is not to be found either.
struct EvaluationTask {
  HeldOut heldOut;
  Excluded excluded;           ///< by held-out query
  std::vector<int64_t> counts; ///< training pairs of each item
  std::vector<uint8_t> head;   ///< items of the head
  std::vector<int64_t> ks;
  int64_t width = 0; ///< the largest k, at most the number of items
};

/// `excludeQuery` leaves out the item with the query's own row number: only where queries and items are the same
/// entity. `excludeTrain` leaves out the items of the query's training pairs. Throws Error if the split has no pairs.
EvaluationTask evaluationTask(const Dataset &data, std::string_view split, std::vector<int64_t> ks, bool excludeQuery,
                              bool excludeTrain);

/// Figures of the model as its tensors are now.
Ranking evaluateModel(Model &model, const EvaluationTask &task);

/// Every query gets the items with most training pairs.
Ranking evaluatePopularity(const EvaluationTask &task, Pool &pool);

/// Cosine of TF-IDF vectors over the categorical values of query and item, plus `popularityWeight` * log(1 + training
/// pairs). Query and item share the vocabularies that both entities have columns of; without one: no value.
std::optional<Ranking> evaluateContent(const Dataset &data, const EvaluationTask &task, double popularityWeight,
                                       Pool &pool);

} // namespace tower::rt

#endif // TOWER_RUNTIME_EVALUATION_H
