// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Evaluation of a model and of the baselines beside it.
#include "runtime/Evaluation.h"

#include "runtime/Error.h"
#include "runtime/TfIdf.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace tower::rt {

namespace {
std::span<const int32_t> excludedRows(const EvaluationTask &task, int64_t query) {
  return {task.excluded.rows.data() + task.excluded.offsets[query],
          static_cast<size_t>(task.excluded.offsets[query + 1] - task.excluded.offsets[query])};
}

/// Calls rank(query, best) for every held-out query, where best has the task's width, and computes the figures.
template <class Rank> Ranking rankEach(const EvaluationTask &task, Pool &pool, Rank rank) {
  auto queries = static_cast<int64_t>(task.heldOut.queries.size());
  std::vector<int32_t> ranked(queries * task.width);
  constexpr int64_t block = 16;
  parallel(pool, (queries + block - 1) / block, [&](int64_t piece) {
    for (int64_t query = piece * block; query < std::min(queries, (piece + 1) * block); ++query)
      rank(query, std::span<int32_t>(ranked).subspan(query * task.width, task.width));
  });
  return rankingFigures(task.heldOut, ranked, task.width, task.head, task.ks);
}

std::set<std::string> vocabulariesOf(const Entity &entity) {
  std::set<std::string> names;
  for (const Column &column : entity.columns)
    if (column.kind != ColumnKind::Dense)
      names.insert(column.vocabulary);
  return names;
}

/// Terms of every row: the values of all columns with a shared vocabulary, numbered through; missing values are none.
TermLists termsOf(const Entity &entity, const std::map<std::string, int64_t> &firstTerms) {
  std::vector<std::pair<const Column *, int64_t>> columns;
  for (const Column &column : entity.columns)
    if (auto found = firstTerms.find(column.vocabulary); column.kind != ColumnKind::Dense && found != firstTerms.end())
      columns.emplace_back(&column, found->second);
  TermLists lists;
  lists.offsets.reserve(entity.rows + 1);
  for (int64_t row = 0; row < entity.rows; ++row) {
    for (auto [column, first] : columns) {
      auto values = column->kind == ColumnKind::Single ? column->ids.subspan(row, 1) : column->row(row);
      for (int32_t value : values)
        if (value != 0)
          lists.terms.push_back(static_cast<int32_t>(first + value));
    }
    lists.offsets.push_back(static_cast<int64_t>(lists.terms.size()));
  }
  return lists;
}

std::vector<std::vector<int32_t>> trainingItems(const Dataset &data, int64_t queries) {
  std::vector<std::vector<int32_t>> items(queries);
  if (const Pairs *train = data.findPairs("train"))
    for (int64_t i = 0; i < train->size(); ++i)
      items[train->query[i]].push_back(train->item[i]);
  return items;
}
} // namespace

EvaluationTask evaluationTask(const Dataset &data, std::string_view split, std::vector<int64_t> ks, bool excludeQuery,
                              bool excludeTrain) {
  const Pairs &pairs = data.pairs(split);
  int64_t items = data.entity(data.itemEntity()).rows, queries = data.entity(data.queryEntity()).rows;
  EvaluationTask task;
  task.ks = std::move(ks);
  task.width = std::min(items, *std::max_element(task.ks.begin(), task.ks.end()));
  const Pairs *train = data.findPairs("train");
  task.counts = countRows(train ? train->item : std::span<const int32_t>(), items);
  task.head = headItems(task.counts);
  std::vector<std::vector<int32_t>> trained;
  if (excludeTrain)
    trained = trainingItems(data, queries);

  HeldOut all = groupByQuery(pairs.query, pairs.item);
  for (size_t i = 0; i < all.queries.size(); ++i) {
    int32_t query = all.queries[i];
    std::vector<int32_t> leftOut = excludeTrain ? trained[query] : std::vector<int32_t>();
    if (excludeQuery)
      leftOut.push_back(query);
    std::sort(leftOut.begin(), leftOut.end());
    size_t before = task.heldOut.items.size();
    for (int32_t item : all.relevant(i))
      if (!std::binary_search(leftOut.begin(), leftOut.end(), item))
        task.heldOut.items.push_back(item);
    if (task.heldOut.items.size() == before)
      continue;
    task.heldOut.queries.push_back(query);
    task.heldOut.offsets.push_back(static_cast<int64_t>(task.heldOut.items.size()));
    task.excluded.add(std::move(leftOut));
  }
  if (task.heldOut.queries.empty())
    throw Error("nothing is left to evaluate: every item of split '" + std::string(split) +
                "' is excluded; try --no-exclude-query or leave out --exclude-train");
  return task;
}

Ranking evaluateModel(Model &model, const EvaluationTask &task) {
  int64_t dim = model.manifest().dim;
  Buffer<float> catalogue = model.embedAll(Side::Item);
  auto queries = static_cast<int64_t>(task.heldOut.queries.size());
  std::vector<int32_t> ranked(queries * task.width);
  // Blocks bound the memory of queries and scores, however many queries there are; large ones are searched best.
  constexpr int64_t block = 8192;
  Buffer<float> embedded(std::min(block, queries) * dim), scores(std::min(block, queries) * task.width);
  for (int64_t first = 0; first < queries; first += block) {
    int64_t count = std::min(block, queries - first);
    std::span<float> queryBlock = std::span<float>(embedded).subspan(0, count * dim);
    model.embed(Side::Query, std::span<const int32_t>(task.heldOut.queries).subspan(first, count), queryBlock);
    Excluded excluded;
    for (int64_t query = first; query < first + count; ++query) {
      std::span<const int32_t> rows = excludedRows(task, query);
      excluded.add({rows.begin(), rows.end()});
    }
    model.score(queryBlock, catalogue, excluded, task.width, std::span<float>(scores).subspan(0, count * task.width),
                std::span<int32_t>(ranked).subspan(first * task.width, count * task.width));
  }
  return rankingFigures(task.heldOut, ranked, task.width, task.head, task.ks);
}

Ranking evaluatePopularity(const EvaluationTask &task, Pool &pool) {
  std::vector<int32_t> order(task.counts.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return task.counts[a] > task.counts[b]; });
  return rankEach(task, pool, [&](int64_t query, std::span<int32_t> best) {
    std::span<const int32_t> leftOut = excludedRows(task, query);
    std::fill(best.begin(), best.end(), -1);
    size_t found = 0;
    for (size_t i = 0; i < order.size() && found < best.size(); ++i)
      if (!std::binary_search(leftOut.begin(), leftOut.end(), order[i]))
        best[found++] = order[i];
  });
}

std::optional<Ranking> evaluateContent(const Dataset &data, const EvaluationTask &task, double popularityWeight,
                                       Pool &pool) {
  const Entity &items = data.entity(data.itemEntity()), &queries = data.entity(data.queryEntity());
  std::map<std::string, int64_t> firstTerms;
  int64_t terms = 0;
  std::set<std::string> ofQueries = vocabulariesOf(queries);
  for (const Column &column : items.columns)
    if (column.kind != ColumnKind::Dense && ofQueries.count(column.vocabulary) &&
        firstTerms.emplace(column.vocabulary, terms).second)
      terms += column.vocabularyRows;
  if (firstTerms.empty())
    return std::nullopt;
  TermLists itemTerms = termsOf(items, firstTerms);
  TermLists queryTerms = &items == &queries ? TermLists() : termsOf(queries, firstTerms);
  const TermLists &asked = &items == &queries ? itemTerms : queryTerms;
  TfIdf index(itemTerms, terms);
  std::vector<float> bonus(items.rows);
  for (int64_t item = 0; item < items.rows; ++item)
    bonus[item] = static_cast<float>(popularityWeight * std::log1p(static_cast<double>(task.counts[item])));
  return rankEach(task, pool, [&](int64_t query, std::span<int32_t> best) {
    thread_local std::vector<float> scores;
    scores.resize(items.rows);
    index.score(asked[task.heldOut.queries[query]], scores);
    if (popularityWeight != 0)
      for (int64_t item = 0; item < items.rows; ++item)
        scores[item] += bonus[item];
    bestRows(scores, excludedRows(task, query), best);
  });
}

} // namespace tower::rt
