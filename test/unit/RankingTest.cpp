// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ranking figures, selection and TF-IDF, on examples computed by hand.
#include "runtime/Ranking.h"
#include "runtime/TfIdf.h"

#include <gtest/gtest.h>

#include <cmath>

using namespace tower::rt;

TEST(Ranking, PairsAreASetGroupedByQuery) {
  std::vector<int32_t> queries{7, 3, 7, 7}, items{5, 2, 1, 5};
  HeldOut heldOut = groupByQuery(queries, items);
  EXPECT_EQ(heldOut.queries, (std::vector<int32_t>{3, 7}));
  EXPECT_EQ(heldOut.items, (std::vector<int32_t>{2, 1, 5}));
  EXPECT_EQ(heldOut.offsets, (std::vector<int64_t>{0, 1, 3}));
}

// Query 0: relevant {1, 2, 3}, ranked 2 9 1 8. Query 1: relevant {4}, ranked 5 6 7 and nothing more.
TEST(Ranking, FiguresMatchAComputationByHand) {
  HeldOut heldOut = groupByQuery(std::vector<int32_t>{0, 0, 0, 1}, std::vector<int32_t>{1, 2, 3, 4});
  std::vector<int32_t> ranked{2, 9, 1, 8, 5, 6, 7, -1};
  std::vector<uint8_t> head(10, 0);
  head[2] = head[4] = 1;
  std::vector<int64_t> ks{2, 4};
  Ranking ranking = rankingFigures(heldOut, ranked, 4, head, ks);
  EXPECT_EQ(ranking.queries, 2);
  EXPECT_EQ(ranking.pairs, 4);
  EXPECT_EQ(ranking.headPairs, 2);
  EXPECT_EQ(ranking.tailPairs, 2);
  const RankingAt &two = ranking.at[0], &four = ranking.at[1];
  EXPECT_DOUBLE_EQ(two.recall, (1.0 / 3 + 0) / 2);
  EXPECT_DOUBLE_EQ(four.recall, (2.0 / 3 + 0) / 2);
  EXPECT_DOUBLE_EQ(two.map, (1.0 / 2) / 2);              // min(k, relevant) = 2
  EXPECT_DOUBLE_EQ(four.map, ((1.0 + 2.0 / 3) / 3) / 2); // hits at ranks 1 and 3
  double third = 1 / std::log2(3.0), fourth = 1 / std::log2(4.0);
  EXPECT_DOUBLE_EQ(two.ndcg, 1.0 / (1 + third) / 2);
  EXPECT_DOUBLE_EQ(four.ndcg, (1 + fourth) / (1 + third + fourth) / 2);
  EXPECT_DOUBLE_EQ(four.headRecall, 1.0 / 2);
  EXPECT_DOUBLE_EQ(four.tailRecall, 1.0 / 2);
}

TEST(Ranking, NothingHeldOutGivesZeros) {
  Ranking ranking = rankingFigures(HeldOut(), {}, 1, {}, std::vector<int64_t>{1});
  EXPECT_EQ(ranking.queries, 0);
  EXPECT_EQ(ranking.at[0].recall, 0);
  EXPECT_EQ(ranking.at[0].headRecall, 0);
}

TEST(Ranking, HeadIsOnePercentWithTiesByRow) {
  std::vector<int64_t> counts(250, 1);
  counts[249] = 3;
  std::vector<uint8_t> head = headItems(counts);
  std::vector<int> rows;
  for (int row = 0; row < 250; ++row)
    if (head[row])
      rows.push_back(row);
  EXPECT_EQ(rows, (std::vector<int>{0, 249}));
}

TEST(Ranking, BestRowsBreakTiesByRowAndLeaveOut) {
  std::vector<float> scores{1, 3, 2, 3, 3, 0};
  std::vector<int32_t> best(3);
  bestRows(scores, {}, best);
  EXPECT_EQ(best, (std::vector<int32_t>{1, 3, 4}));
  std::vector<int32_t> exclude{1, 4};
  bestRows(scores, exclude, best);
  EXPECT_EQ(best, (std::vector<int32_t>{3, 2, 0}));
  best.resize(5);
  bestRows(scores, exclude, best);
  EXPECT_EQ(best, (std::vector<int32_t>{3, 2, 0, 5, -1}));
}

// Documents {a, b}, {b, b}, {} and the query {b, c}: N = 3, df(a) = 1, df(b) = 2.
TEST(TfIdf, CosinesMatchAComputationByHand) {
  TermLists documents;
  documents.terms = {0, 1, 1, 1};
  documents.offsets = {0, 2, 4, 4};
  TfIdf index(documents, 3);
  std::vector<float> scores(3);
  index.score(std::vector<int32_t>{1, 2}, scores);
  double a = 1 + std::log(4.0 / 2), b = 1 + std::log(4.0 / 3), c = 1 + std::log(4.0);
  double query = b / std::hypot(b, c);
  EXPECT_NEAR(scores[0], query * b / std::hypot(a, b), 1e-6);
  EXPECT_NEAR(scores[1], query, 1e-6);
  EXPECT_EQ(scores[2], 0);
  index.score({}, scores);
  EXPECT_EQ(scores[1], 0);
}
