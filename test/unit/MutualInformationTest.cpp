// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Mutual information against sums by hand, and `towerc data mi` from end to end.
#include "frontend/MutualInformation.h"
#include "frontend/DataMain.h"
#include "frontend/DatasetFolder.h"
#include "test/unit/TemporaryFolder.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <numeric>
#include <random>

using namespace tower;

namespace {

/// The definition, with a full joint table: sum p(a, b) log(p(a, b) / (p(a) p(b))).
double byDefinition(const DiscreteFeature &a, const DiscreteFeature &b, const std::vector<int32_t> &order) {
  MiMatrix joint(a.numValues, std::vector<double>(b.numValues, 0));
  std::vector<double> pa(a.numValues, 0), pb(b.numValues, 0);
  for (int64_t row = 0; row < a.rows(); ++row) {
    int64_t other = order[row];
    double share = 1.0 / double(a.offsets[row + 1] - a.offsets[row]) / double(b.offsets[other + 1] - b.offsets[other]) /
                   double(a.rows());
    for (int64_t i = a.offsets[row]; i < a.offsets[row + 1]; ++i) {
      for (int64_t k = b.offsets[other]; k < b.offsets[other + 1]; ++k) {
        joint[a.values[i]][b.values[k]] += share;
        pa[a.values[i]] += share;
        pb[b.values[k]] += share;
      }
    }
  }
  double sum = 0;
  for (int32_t i = 0; i < a.numValues; ++i)
    for (int32_t k = 0; k < b.numValues; ++k)
      if (joint[i][k] > 0)
        sum += joint[i][k] * std::log(joint[i][k] / (pa[i] * pb[k]));
  return sum;
}

std::vector<DiscreteFeature> randomFeatures(int64_t rows) {
  std::mt19937_64 random(7);
  std::vector<int32_t> a, b, values;
  std::vector<int64_t> offsets = {0};
  std::vector<float> numbers;
  for (int64_t row = 0; row < rows; ++row) {
    a.push_back(static_cast<int32_t>(random() % 5));
    b.push_back(random() % 3 == 0 ? static_cast<int32_t>(random() % 4) : a.back() % 4);
    for (uint64_t n = random() % 4; n > 0; --n)
      values.push_back(static_cast<int32_t>(1 + (random() % 2 ? random() % 9 : a.back())));
    offsets.push_back(static_cast<int64_t>(values.size()));
    numbers.push_back(static_cast<float>(random() % 40) + static_cast<float>(b.back()));
  }
  return {singleFeature("a", a, 5), multiFeature("words", values, offsets, 10), singleFeature("b", b, 4),
          denseFeature("size", numbers, 1)};
}

} // namespace

TEST(MutualInformation, OfACopyIsTheEntropy) {
  std::vector<DiscreteFeature> features = {singleFeature("x", {0, 0, 1, 2}, 3), singleFeature("y", {2, 2, 0, 1}, 3)};
  MutualInformation information = mutualInformation(features, 1);
  EXPECT_NEAR(information.plugin[0][1], 1.5 * std::log(2.0), 1e-12); // 1/2 log 2 + 2 x 1/4 log 4
  EXPECT_NEAR(information.plugin[0][0], 1.5 * std::log(2.0), 1e-12);
  EXPECT_EQ(information.plugin[0][1], information.plugin[1][0]);
}

TEST(MutualInformation, OfIndependentFeaturesIsZero) {
  std::vector<DiscreteFeature> features = {singleFeature("x", {0, 0, 1, 1}, 2), singleFeature("y", {0, 1, 0, 1}, 2)};
  EXPECT_NEAR(mutualInformation(features, 1).plugin[0][1], 0, 1e-12);
}

TEST(MutualInformation, EachOfNValuesCountsOneNth) {
  // Rows: (0; {1, 2}), (1; {}): p(0,1) = p(0,2) = 1/4, p(1,missing) = 1/2. Knowing the list tells the other: log 2.
  std::vector<DiscreteFeature> features = {singleFeature("x", {0, 1}, 2), multiFeature("y", {1, 2}, {0, 2, 2}, 3)};
  MutualInformation information = mutualInformation(features, 1);
  EXPECT_NEAR(information.plugin[0][1], std::log(2.0), 1e-12);
  EXPECT_NEAR(information.plugin[1][1], 1.5 * std::log(2.0), 1e-12);
  // Rows: (0; {1, 2}), (1; {1}): p(0,1) = p(0,2) = 1/4, p(1,1) = 1/2; p(1) = 3/4, p(2) = 1/4.
  features[1] = multiFeature("y", {1, 2, 1}, {0, 2, 3}, 3);
  EXPECT_NEAR(mutualInformation(features, 1).plugin[0][1],
              0.25 * std::log(0.25 / (0.5 * 0.75)) + 0.25 * std::log(0.25 / (0.5 * 0.25)) +
                  0.5 * std::log(0.5 / (0.5 * 0.75)),
              1e-12);
}

TEST(MutualInformation, AgreesWithItsDefinition) {
  std::vector<DiscreteFeature> features = randomFeatures(500);
  MutualInformation information = mutualInformation(features, 1);
  std::vector<int32_t> same(500);
  std::iota(same.begin(), same.end(), 0);
  for (size_t a = 0; a < features.size(); ++a) {
    for (size_t b = a + 1; b < features.size(); ++b) {
      EXPECT_NEAR(information.plugin[a][b], byDefinition(features[a], features[b], same), 1e-12);
      EXPECT_EQ(information.corrected[a][b], information.plugin[a][b] - information.shuffled[a][b]);
      EXPECT_EQ(information.corrected[a][b], information.corrected[b][a]);
      // The side with fewer values is shuffled.
      bool swap = features[a].numValues < features[b].numValues;
      const DiscreteFeature &outer = features[swap ? b : a], &inner = features[swap ? a : b];
      double mean = 0;
      for (uint64_t seed = 1; seed <= numShuffles; ++seed)
        mean += byDefinition(outer, inner, shuffledRows(500, seed)) / numShuffles;
      EXPECT_NEAR(information.shuffled[a][b], mean, 1e-12);
    }
  }
}

TEST(MutualInformation, ThreadsDoNotChangeABit) {
  std::vector<DiscreteFeature> features = randomFeatures(300);
  MutualInformation one = mutualInformation(features, 1), three = mutualInformation(features, 3);
  EXPECT_EQ(one.plugin, three.plugin);
  EXPECT_EQ(one.shuffled, three.shuffled);
}

TEST(MutualInformation, DecilesPutTiesInTheLowerBin) {
  std::vector<float> numbers(20);
  std::iota(numbers.begin(), numbers.end(), 0.0f);
  std::vector<int32_t> twoEach;
  for (int32_t i = 0; i < 20; ++i)
    twoEach.push_back(i / 2);
  EXPECT_EQ(denseFeature("x", numbers, 1).values, twoEach);
  EXPECT_EQ(denseFeature("x", {5, 1, 1, 1, 9}, 1).values, (std::vector<int32_t>{6, 0, 0, 0, 8}));
  EXPECT_EQ(denseFeature("x", {3, 3, 3}, 1).values, (std::vector<int32_t>{0, 0, 0}));
  // Two components are two values a row, each of its own ten.
  EXPECT_EQ(denseFeature("x", {1, 8, 2, 7}, 2).values, (std::vector<int32_t>{0, 15, 5, 10}));
}

TEST(MutualInformation, ShufflesArePermutationsAndTheSameEverywhere) {
  std::vector<int32_t> order = shuffledRows(1000, 1), sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (int32_t i = 0; i < 1000; ++i)
    ASSERT_EQ(sorted[i], i);
  EXPECT_NE(order, shuffledRows(1000, 2));
  EXPECT_EQ(shuffledRows(6, 1), (std::vector<int32_t>{3, 2, 4, 1, 5, 0}));
}

TEST(MutualInformation, MasksHoldTheSeedAndTheMostCorrelated) {
  MiMatrix matrix = {{9, 1, 3, 3, 0}, {1, 9, 2, 2, 2}, {3, 2, 9, 0, 0}, {3, 2, 0, 9, 0}, {0, 2, 0, 0, 9}};
  EXPECT_EQ(correlatedMask(matrix, 0), (std::vector<int>{0, 2, 3}));
  EXPECT_EQ(correlatedMask(matrix, 1), (std::vector<int>{1, 2, 3})); // ties by lower index
  EXPECT_EQ(correlatedMask(matrix, 4), (std::vector<int>{4, 1, 0}));
}

TEST(DataMi, WritesMatricesAndWarns) {
  test::TemporaryFolder folder;
  folder.write("schema.txtpb", R"(
    entities { name: "item" file: "items.tsv" key: "id"
      columns { name: "a" single {} } columns { name: "b" single {} } columns { name: "words" multi {} }
      columns { name: "size" dense {} } }
    pairs { file: "pairs.tsv" query: "q" item: "i" query_entity: "item" item_entity: "item" })");
  folder.write("items.tsv",
               "id\ta\tb\twords\tsize\n1\tx\tu\tone two\t1\n2\ty\tv\t\t2\n3\tx\tu\tone\t3\n4\ty\tw\ttwo\t4\n");
  folder.write("pairs.tsv", "q\ti\n1\t2\n");
  std::string schema = folder.path("schema.txtpb"), data = folder.path("ds");
  auto run = [](std::vector<std::string> words, int expected) {
    std::vector<char *> arguments;
    words.insert(words.begin(), "data");
    for (std::string &word : words)
      arguments.push_back(word.data());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    EXPECT_EQ(dataMain(static_cast<int>(arguments.size()), arguments.data()), expected);
    return testing::internal::GetCapturedStdout() + testing::internal::GetCapturedStderr();
  };
  run({"import", schema, "--out", data}, 0);
  std::string out = run({"mi", data}, 0);
  // b tells all of a; every other feature is best explained by b and size, which is unique.
  EXPECT_NE(out.find("item: 4 rows, 4 features\n"), std::string::npos) << out;
  EXPECT_NE(out.find("  a     + b size\n"), std::string::npos) << out;
  EXPECT_NE(out.find("warning: size is in 4 of 4 masks by plug-in information: it is hardly ever shown\n"),
            std::string::npos)
      << out;
  auto json = nlohmann::json::parse(folder.read("ds/item/mi.json"));
  EXPECT_EQ(json["features"], (nlohmann::json{"a", "b", "words", "size"}));
  EXPECT_NEAR(json["plugin"][0][1], std::log(2.0), 1e-12);
  EXPECT_NEAR(json["corrected"][0][1], double(json["plugin"][0][1]) - double(json["shuffled"][0][1]), 1e-12);

  EXPECT_EQ(run({"mi", data, "--entity", "items"}, 1),
            "error: " + data + ": no entity is called \"items\"; did you mean \"item\"?\n");
  EXPECT_EQ(run({"mi"}, 2), "error: data mi needs a dataset's folder; see towerc data --help\n");
  std::filesystem::remove(data + "/item/b.npy");
  EXPECT_EQ(run({"mi", data}, 1), "error: " + data + "/item/b.npy: cannot be opened: No such file or directory\n");
  out = run({"mi", folder.path("none")}, 1);
  EXPECT_TRUE(out.starts_with("error: " + folder.path("none") + ": is not a dataset: ")) << out;
}
