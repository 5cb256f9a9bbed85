// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// EXE recommend: the best items for a query by name, or for names on standard input.
#include "runtime/Commands.h"
#include "runtime/Error.h"
#include "runtime/Nearest.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <istream>
#include <ostream>

namespace tower::rt {

namespace {
class Recommender {
public:
  Recommender(TrainedModel &trained, int64_t k, bool keepSelf, bool excludeTrain)
      : trained(trained), queryKeys(trained.data.keys(trained.model.manifest().query.entity)),
        itemKeys(trained.data.keys(trained.model.manifest().item.entity)), k(std::min(k, itemKeys.size())),
        keepSelf(keepSelf || !trained.siamese()), excludeTrain(excludeTrain),
        catalogue(trained.model.embedAll(Side::Item)), scores(this->k), rows(this->k) {}

  /// False, and nothing answered, if there is no such query: see unknown().
  bool answer(const std::string &name) {
    std::optional<int32_t> row = queryKeys.find(name);
    if (!row)
      return false;
    Buffer<float> query(trained.model.manifest().dim);
    trained.model.embed(Side::Query, std::span<const int32_t>(&*row, 1), query);
    Excluded excluded;
    excluded.add(leftOut(*row));
    trained.model.score(query, catalogue, excluded, k, scores, rows);
    return true;
  }

  std::string unknown(const std::string &name) const {
    auto candidates = nearestNames(name, queryKeys.size(), [&](size_t row) { return queryKeys[row]; });
    return "there is no " + trained.model.manifest().query.entity + " '" + name + "' in '" + trained.data.folder() +
           "'." + didYouMean(candidates);
  }

  void print(std::ostream &out, const std::string &name, bool heading) const {
    if (heading)
      out << name << "\n";
    size_t width = 4;
    for (int64_t i = 0; i < k && rows[i] >= 0; ++i)
      width = std::max(width, itemKeys[rows[i]].size());
    for (int64_t i = 0; i < k && rows[i] >= 0; ++i) {
      char text[64];
      std::snprintf(text, sizeof text, "%4lld  ", static_cast<long long>(i + 1));
      std::string key(itemKeys[rows[i]]);
      key.resize(width, ' ');
      out << text << key;
      std::snprintf(text, sizeof text, "  %7.4f\n", scores[i]);
      out << text;
    }
    out << std::flush;
  }

  void printJson(std::ostream &out, const std::string &name) const {
    nlohmann::ordered_json object{{"query", name}, {"items", nlohmann::ordered_json::array()}};
    for (int64_t i = 0; i < k && rows[i] >= 0; ++i)
      object["items"].push_back({{"rank", i + 1}, {"name", std::string(itemKeys[rows[i]])}, {"score", scores[i]}});
    // Keys are bytes from a user's file: what is not UTF-8 is replaced rather than refused.
    out << object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
  }

private:
  std::vector<int32_t> leftOut(int32_t query) const {
    std::vector<int32_t> items;
    if (!keepSelf)
      items.push_back(query);
    const Pairs *train = excludeTrain ? trained.data.findPairs("train") : nullptr;
    for (int64_t i = 0; train && i < train->size(); ++i)
      if (train->query[i] == query)
        items.push_back(train->item[i]);
    return items;
  }

  TrainedModel &trained;
  const Lines &queryKeys, &itemKeys;
  int64_t k;
  bool keepSelf, excludeTrain;
  Buffer<float> catalogue, scores;
  std::vector<int32_t> rows;
};
} // namespace

int recommendCommand(Invocation &invocation) {
  ModelFlags common;
  std::string query;
  std::optional<int64_t> k;
  bool json = false, keepSelf = false, excludeTrain = false;
  Flags flags(
      invocation.executable + " recommend",
      "Prints rank, name and score of the best items for a query. Without --query it answers names from standard\n"
      "input, one a line.");
  common.declare(flags);
  flags.text("query", query, "NAME", "The query's name in the data.");
  flags.integer("k", k, 1, "K", "How many items.", "10");
  flags.toggle("keep-self", keepSelf, "Where queries and items are the same entity, the query may answer itself.");
  flags.toggle("exclude-train", excludeTrain, "Leave out the items of the query's training pairs.");
  flags.toggle("json", json, "Print a JSON object a line.");
  if (auto code = parseFlags(flags, invocation))
    return *code;

  TrainedModel trained(invocation, common);
  Recommender recommender(trained, k.value_or(10), keepSelf, excludeTrain);
  auto respond = [&](const std::string &name, bool heading) {
    if (!recommender.answer(name))
      return false;
    if (json)
      recommender.printJson(invocation.out, name);
    else
      recommender.print(invocation.out, name, heading);
    return true;
  };
  if (!query.empty()) {
    if (!respond(query, false))
      throw Error(recommender.unknown(query));
    return Success;
  }
  int code = Success;
  for (std::string line; std::getline(invocation.in, line);) {
    if (line.ends_with('\r'))
      line.pop_back();
    if (line.empty() || respond(line, true))
      continue;
    invocation.err << invocation.executable << ": error: " << recommender.unknown(line) << std::endl;
    code = Failure;
  }
  return code;
}

} // namespace tower::rt
