// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// evaluate: the model's figures against a slow computation from its embeddings, the baselines against ones by hand.
#include "runtime/Npy.h"
#include "test/unit/FakeData.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

using namespace tower::test;
using namespace tower::rt;

namespace {
using Score = std::function<double(int query, int item)>;

/// Mean recall and MAP of a split at k, ranking all items by score and then by row; `banned` items cannot be answers.
std::pair<double, double> recallAndMap(const PairList &pairs, int k, const Score &score,
                                       const std::function<bool(int, int)> &banned) {
  std::map<int, std::set<int>> relevant;
  for (auto [query, item] : pairs)
    if (!banned(query, item))
      relevant[query].insert(item);
  double recall = 0, map = 0;
  for (const auto &[query, items] : relevant) {
    std::vector<std::pair<double, int>> order;
    for (int item = 0; item < FakeData::things; ++item)
      if (!banned(query, item))
        order.emplace_back(-score(query, item), item);
    std::sort(order.begin(), order.end());
    double hits = 0, precisions = 0;
    for (int rank = 0; rank < k; ++rank)
      if (items.count(order[rank].second))
        precisions += ++hits / (rank + 1);
    recall += hits / items.size();
    map += precisions / std::min<double>(k, items.size());
  }
  return {recall / relevant.size(), map / relevant.size()};
}

bool own(int query, int item) { return query == item; }

class Evaluate : public ::testing::Test {
protected:
  Evaluate() : path(folder / "data"), checkpoint(folder / "m.safetensors") {
    // A pair that occurs twice, and a query that answers itself: neither may change the figures.
    data.test.push_back(data.test.front());
    data.test.emplace_back(1, 1);
    data.write(path);
    Outcome trained = runFake({"train", "--data", path, "--checkpoint", checkpoint, "--steps", "50", "--quiet"});
    EXPECT_EQ(trained.code, 0) << trained.err;
  }
  nlohmann::json evaluate(std::vector<std::string> more) {
    std::vector<std::string> arguments{"evaluate", "--data", path, "--checkpoint", checkpoint, "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    Outcome outcome = runFake(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out);
  }
  Score modelScore() {
    for (const char *side : {"queries", "items"})
      runFake({"embed", "--data", path, "--checkpoint", checkpoint, "--side", side, "--out", folder / side});
    auto numbers = [&](const char *side) {
      NpyFile file(folder / side);
      auto span = file.as<float>({FakeData::things, 4});
      return std::vector<float>(span.begin(), span.end());
    };
    return [q = numbers("queries"), x = numbers("items")](int query, int item) {
      float score = 0;
      for (int d = 0; d < 4; ++d)
        score += q[4 * query + d] * x[4 * item + d];
      return score;
    };
  }

  TemporaryFolder folder;
  std::string path, checkpoint;
  FakeData data;
};
} // namespace

TEST_F(Evaluate, ModelFiguresAreThoseOfASlowComputation) {
  Score score = modelScore();
  auto json = evaluate({"-k", "3,20"});
  EXPECT_EQ(json["queries"], 24);
  EXPECT_EQ(json["pairs"], 24 * 3 - 1); // thing 6 goes with 7 twice
  EXPECT_EQ(json["items"], 120);
  EXPECT_EQ(json["step"], 50);
  for (int k : {3, 20}) {
    auto [recall, map] = recallAndMap(data.test, k, score, own);
    EXPECT_NEAR(json["results"][0]["recall@" + std::to_string(k)], recall, 1e-12);
    EXPECT_NEAR(json["results"][0]["map@" + std::to_string(k)], map, 1e-12);
  }
  // However many are asked for, there are no more than all.
  auto most = evaluate({"-k", "1000000000000"})["results"][0];
  EXPECT_EQ(most["recall@1000000000000"], 1);
  EXPECT_EQ(most["map@1000000000000"], evaluate({"-k", "120"})["results"][0]["map@120"]);
  // Queries of the validation split are not those of test.
  auto [recall, map] = recallAndMap(data.validation, 3, score, own);
  EXPECT_NEAR(evaluate({"-k", "3", "--split", "validation"})["results"][0]["recall@3"], recall, 1e-12);
  // Thread counts change nothing.
  EXPECT_EQ(evaluate({"--baselines", "--threads", "1"}), evaluate({"--baselines", "--threads", "3"}));
}

TEST_F(Evaluate, RanksAreThoseOfASlowComputation) {
  Score score = modelScore();
  std::string path = folder / "ranks.npy";
  evaluate({"-k", "3,20", "--ranks", path});
  std::set<std::pair<int, int>> pairs(data.test.begin(), data.test.end());
  pairs.erase({1, 1}); // the query's own row
  std::vector<int32_t> expected;
  for (auto [query, item] : pairs) {
    int rank = 1;
    for (int other = 0; other < FakeData::things; ++other)
      if (other != query && other != item)
        rank += score(query, other) > score(query, item) || (score(query, other) == score(query, item) && other < item);
    expected.insert(expected.end(), {query, item, rank <= 20 ? rank : 0});
  }
  NpyFile file(path);
  auto written = file.as<int32_t>({static_cast<int64_t>(pairs.size()), 3});
  EXPECT_EQ(std::vector<int32_t>(written.begin(), written.end()), expected);
  EXPECT_TRUE(std::count(expected.begin(), expected.end(), 0) < static_cast<long>(pairs.size())) << "some are found";
}

TEST_F(Evaluate, RanksThatCannotBeWrittenAreAnError) {
  Outcome outcome =
      runFake({"evaluate", "--data", path, "--checkpoint", checkpoint, "--ranks", folder / "missing/ranks.npy"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("missing/ranks.npy"), std::string::npos) << outcome.err;
}

TEST_F(Evaluate, QueriesCanBeKeptAndTrainingItemsLeftOut) {
  Score score = modelScore();
  auto [recall, map] = recallAndMap(data.test, 3, score, [](int, int) { return false; });
  auto kept = evaluate({"-k", "3", "--no-exclude-query"});
  EXPECT_EQ(kept["pairs"], 24 * 3);
  EXPECT_NEAR(kept["results"][0]["recall@3"], recall, 1e-12);
  data.train.emplace_back(1, 2); // was held out
  data.train.emplace_back(1, 99);
  data.write(path);
  std::set<std::pair<int, int>> trained(data.train.begin(), data.train.end());
  auto [without, unused] = recallAndMap(data.test, 3, score, [&](int query, int item) {
    return query == item || trained.count({query, item});
  });
  EXPECT_NEAR(evaluate({"-k", "3", "--exclude-train"})["results"][0]["recall@3"], without, 1e-12);
}

TEST_F(Evaluate, BaselinesAreThoseOfASlowComputation) {
  std::map<int, int> counts;
  for (auto [query, item] : data.train)
    ++counts[item];
  Score popularity = [&](int, int item) { return counts[item]; };
  // Ids are terms as well, but no two things share one: every thing has three terms.
  auto idf = [](int documents) { return 1 + std::log(121.0 / (1 + documents)); };
  Score content = [&](int query, int item) {
    double first = idf(12), second = idf(40), id = idf(1), squares = first * first + second * second + id * id, sum = 0;
    sum += (data.tags[query][0] == data.tags[item][0]) * first * first;
    sum += (data.tags[query][1] == data.tags[item][1]) * second * second;
    sum += (query == item) * id * id;
    return static_cast<float>(sum / squares);
  };
  Score both = [&](int query, int item) { return content(query, item) + 0.02 * std::log1p(counts[item]); };
  auto results = evaluate({"-k", "10", "--baselines"})["results"];
  ASSERT_EQ(results.size(), 4u);
  const std::pair<const char *, Score> expected[] = {
      {"popularity", popularity}, {"TF-IDF", content}, {"TF-IDF + 0.02 log(1 + popularity)", both}};
  for (size_t i = 0; i < 3; ++i) {
    auto [recall, map] = recallAndMap(data.test, 10, expected[i].second, own);
    EXPECT_EQ(results[i + 1]["name"], expected[i].first);
    EXPECT_NEAR(results[i + 1]["recall@10"], recall, 1e-12) << expected[i].first;
    EXPECT_NEAR(results[i + 1]["map@10"], map, 1e-12) << expected[i].first;
  }
  // Thing 7 is the head: popularity finds nothing else among the first.
  auto first = evaluate({"-k", "1", "--baselines"})["results"][1];
  EXPECT_EQ(first["head_recall@1"], 1);
  EXPECT_EQ(first["tail_recall@1"], 0);
}

TEST_F(Evaluate, TableShowsEveryFigure) {
  Outcome outcome = runFake({"evaluate", "--data", path, "--checkpoint", checkpoint, "--baselines"});
  for (const char *text :
       {"test: 24 queries, 71 pairs (24 of head items, 47 of tail items), 120 items\n", "   R@10", "  MAP@10",
        "  NDCG@50", "  head R@10", "  tail R@50", "\nfake ", "\npopularity ", "\nTF-IDF + 0.02 log(1 + popularity) "})
    EXPECT_NE(outcome.out.find(text), std::string::npos) << text << "\n" << outcome.out;
}

TEST_F(Evaluate, OtherDataIsSaid) {
  data.tags[0] = {5};
  data.write(path);
  Outcome outcome = runFake({"evaluate", "--data", path, "--checkpoint", checkpoint});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.err.find("was trained on other data than '" + path + "'"), std::string::npos) << outcome.err;
}
