// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// EXE evaluate: figures of the model, and of baselines beside it, as a table or as JSON.
#include "runtime/Commands.h"
#include "runtime/Evaluation.h"
#include "runtime/Npy.h"
#include "runtime/Progress.h"

#include <nlohmann/json.hpp>

#include <cstdio>
#include <ostream>

namespace tower::rt {

namespace {
struct Row {
  std::string name;
  Ranking ranking;
};

std::string padded(std::string text, size_t width) {
  return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}

std::string shownFigure(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", value);
  return text;
}

void printTable(std::ostream &out, const std::string &split, int64_t items, const std::vector<Row> &rows) {
  const Ranking &first = rows.front().ranking;
  out << split << ": " << shownCount(first.queries) << " queries, " << shownCount(first.pairs) << " pairs ("
      << shownCount(first.headPairs) << " of head items, " << shownCount(first.tailPairs) << " of tail items), "
      << shownCount(items) << " items\n";
  constexpr size_t nameWidth = 36;
  std::string header(nameWidth, ' ');
  for (const RankingAt &at : first.at)
    for (const char *figure : {"R", "MAP", "NDCG", "head R", "tail R"})
      header += padded(std::string(figure) + "@" + std::to_string(at.k), std::string(figure).size() + 6);
  out << header << "\n";
  for (const Row &row : rows) {
    std::string line = row.name;
    line.resize(nameWidth, ' ');
    for (const RankingAt &at : row.ranking.at) {
      const std::pair<double, size_t> figures[] = {
          {at.recall, 7}, {at.map, 9}, {at.ndcg, 10}, {at.headRecall, 12}, {at.tailRecall, 12}};
      for (auto [value, width] : figures)
        line += padded(shownFigure(value), width);
    }
    out << line << "\n";
  }
  out << "R, MAP, NDCG: mean over queries; head R, tail R: over pairs, head = the 1 % of items with most training "
         "pairs\n";
}

nlohmann::ordered_json figures(const Row &row) {
  nlohmann::ordered_json object{{"name", row.name}};
  for (const RankingAt &at : row.ranking.at) {
    std::string k = "@" + std::to_string(at.k);
    object["recall" + k] = at.recall;
    object["map" + k] = at.map;
    object["ndcg" + k] = at.ndcg;
    object["head_recall" + k] = at.headRecall;
    object["tail_recall" + k] = at.tailRecall;
  }
  return object;
}

/// A row of query, item and rank for each held-out pair.
void writeRanks(const std::string &path, const HeldOut &heldOut, const std::vector<int32_t> &ranks) {
  std::vector<int32_t> rows;
  rows.reserve(3 * ranks.size());
  for (size_t query = 0, pair = 0; query < heldOut.queries.size(); ++query)
    for (int32_t item : heldOut.relevant(static_cast<int64_t>(query)))
      rows.insert(rows.end(), {heldOut.queries[query], item, ranks[pair++]});
  writeNpy(path, std::span<const int32_t>(rows), {static_cast<int64_t>(ranks.size()), 3});
}
} // namespace

int evaluateCommand(Invocation &invocation) {
  ModelFlags common;
  std::string split = "test", ranksFile;
  std::vector<int64_t> ks{10, 50};
  bool json = false, baselines = false, excludeTrain = false;
  std::optional<bool> excludeQuery;
  Flags flags(
      invocation.executable + " evaluate",
      "Ranks the whole catalogue for every query of the held-out pairs. Ties are ordered by row number; a pair\n"
      "that occurs twice counts once; an item that is left out of the answers is not counted as missed.");
  common.declare(flags);
  flags.choice("split", split, {"test", "validation"}, "Which pairs were held out.");
  flags.integers("k", ks, "LIST", "Cut-offs.");
  flags.toggle("baselines", baselines, "Popularity and TF-IDF beside the model.");
  flags.toggle("exclude-query", excludeQuery,
               "Leave the query's own row out of its answers (--no-exclude-query: keep it).",
               "on if queries and items are the same entity");
  flags.toggle("exclude-train", excludeTrain, "Leave the query's training items out of its answers.");
  flags.text("ranks", ranksFile, "FILE.npy",
             "Write a row for each held-out pair: query, item, the item's rank (0: beyond the largest cut-off).");
  flags.toggle("json", json, "Print JSON.");
  if (auto code = parseFlags(flags, invocation))
    return *code;

  TrainedModel trained(invocation, common);
  if (excludeQuery.value_or(false) && !trained.siamese()) {
    invocation.err << invocation.executable << ": error: --exclude-query has no meaning here: queries are '"
                   << trained.model.manifest().query.entity << "', items '" << trained.model.manifest().item.entity
                   << "'; leave it out\n";
    return Usage;
  }
  EvaluationTask task = evaluationTask(trained.data, split, ks, excludeQuery.value_or(trained.siamese()), excludeTrain);
  std::vector<Row> rows{{trained.model.manifest().name, evaluateModel(trained.model, task)}};
  if (!ranksFile.empty())
    writeRanks(ranksFile, task.heldOut, rows.front().ranking.ranks);
  if (baselines) {
    rows.push_back({"popularity", evaluatePopularity(task, trained.pool)});
    if (auto content = evaluateContent(trained.data, task, 0, trained.pool)) {
      rows.push_back({"TF-IDF", *content});
      rows.push_back({"TF-IDF + 0.02 log(1 + popularity)", *evaluateContent(trained.data, task, 0.02, trained.pool)});
    } else {
      invocation.err << "note: no TF-IDF: queries and items have no vocabulary in common\n";
    }
  }
  int64_t items = trained.data.entity(trained.data.itemEntity()).rows;
  if (!json) {
    printTable(invocation.out, split, items, rows);
    return Success;
  }
  const Ranking &first = rows.front().ranking;
  nlohmann::ordered_json object{{"model", trained.model.manifest().name},
                                {"step", trained.checkpoint.step},
                                {"split", split},
                                {"queries", first.queries},
                                {"pairs", first.pairs},
                                {"head_pairs", first.headPairs},
                                {"tail_pairs", first.tailPairs},
                                {"items", items},
                                {"results", nlohmann::ordered_json::array()}};
  for (const Row &row : rows)
    object["results"].push_back(figures(row));
  invocation.out << object.dump(2) << "\n";
  return Success;
}

} // namespace tower::rt
