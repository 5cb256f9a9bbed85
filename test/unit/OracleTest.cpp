// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The oracle's ops on examples small enough to be worked out by hand.

#include "test/oracle/ParsedFunction.h"
#include "test/oracle/Random.h"

#include <cmath>
#include <gtest/gtest.h>
#include <set>

using namespace tower::oracle;
using Reals = std::vector<double>;
using Integers = std::vector<int64_t>;

namespace {

Tensor reals(std::vector<int64_t> shape, Reals values) { return Tensor::ofReals(shape, values); }
Tensor integers(std::vector<int64_t> shape, Integers values) { return Tensor::ofIntegers(shape, values); }

// The values of a function's results; none where it fails.
std::vector<Tensor> run(const char *text, std::vector<Tensor> arguments, Inputs inputs = {}) {
  ParsedFunction function(text);
  EXPECT_TRUE(bool(function)) << function.message;
  if (!function)
    return {};
  auto results = function(arguments, inputs);
  EXPECT_TRUE(succeeded(results)) << function.message;
  return succeeded(results) ? results->values : std::vector<Tensor>();
}

void expectNear(const Tensor &found, const Reals &expected, double tolerance = 1e-12) {
  ASSERT_EQ(found.reals.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(found.reals[i], expected[i], tolerance) << "element " << i;
}

TEST(Oracle, PhiloxGivesThePublishedVectors) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, 0, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox4x32({ones, ones, ones, ones}, ones, ones), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Oracle, AnEpochsBatchesAreDifferentPairs) {
  std::set<int64_t> seen;
  for (int step = 0; step < 6; ++step)
    for (int64_t position : samplePairs(3, "pairs", step, 16, 100)) {
      EXPECT_TRUE(0 <= position && position < 100);
      EXPECT_TRUE(seen.insert(position).second);
    }
  EXPECT_NE(samplePairs(3, "pairs", 0, 16, 100), samplePairs(3, "pairs", 6, 16, 100)); // another epoch
}

TEST(Oracle, UniformRowsCoverTheCatalogue) {
  std::set<int64_t> seen;
  for (int64_t row : sampleUniform(1, "ssl/items", 5, 200, 7))
    seen.insert(row);
  EXPECT_EQ(seen, (std::set<int64_t>{0, 1, 2, 3, 4, 5, 6}));
}

TEST(Oracle, ARandomMaskHasItsCountAndItsComplementTheRest) {
  auto results = run(R"(func.func @f(%step: tensor<i64>, %seed: tensor<i64>) -> (tensor<5xi1>, tensor<5xi1>) {
    %m = tower.feature_mask %step, %seed count(2) stream("ssl/mask") : tensor<5xi1>
    %c = tower.complement %m : tensor<5xi1>
    return %m, %c : tensor<5xi1>, tensor<5xi1>
  })",
                     {Tensor::scalar(int64_t{4}), Tensor::scalar(int64_t{1})});
  ASSERT_EQ(results.size(), 2u);
  int64_t masked = 0;
  for (int f = 0; f < 5; ++f) {
    masked += results[0].integers[f];
    EXPECT_EQ(results[0].integers[f] + results[1].integers[f], 1);
  }
  EXPECT_EQ(masked, 2);
}

TEST(Oracle, ACorrelatedMaskFollowsTheOrderOfItsSeedFeature) {
  for (int64_t step = 0; step < 20; ++step) {
    auto results =
        run(R"(func.func @f(%step: tensor<i64>, %seed: tensor<i64>, %order: tensor<3x2xi32>) -> tensor<3xi1> {
      %m = tower.feature_mask %step, %seed order(%order : tensor<3x2xi32>) count(2) stream("ssl/mask") : tensor<3xi1>
      return %m : tensor<3xi1>
    })",
            {Tensor::scalar(step), Tensor::scalar(int64_t{1}), integers({3, 2}, {1, 2, 0, 2, 0, 1})});
    ASSERT_EQ(results.size(), 1u);
    // Feature 0 goes with 1, 1 with 0, 2 with 0: never 1 and 2.
    EXPECT_EQ(results[0].integers[0], 1);
    EXPECT_EQ(results[0].integers[1] + results[0].integers[2], 1);
  }
}

const char *lookups = R"(
  func.func @f(%table: tensor<3x2xf32>, %ids: tensor<?xi32>, %offsets: tensor<?xi64>, %values: tensor<?xi32>,
               %rows: tensor<2xi32>, %mask: tensor<2xi1>) -> (tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>) {
    %e = tower.lookup %table, %ids[%rows] : (tensor<3x2xf32>, tensor<?xi32>, tensor<2xi32>) -> tensor<2x2xf32>
    %v = tower.lookup %table, %ids[%rows] unless(%mask) feature(1) : (tensor<3x2xf32>, tensor<?xi32>, tensor<2xi32>, tensor<2xi1>) -> tensor<2x2xf32>
    %mean = tower.pooled_lookup %table, %offsets, %values[%rows] mean longest(3) : (tensor<3x2xf32>, tensor<?xi64>, tensor<?xi32>, tensor<2xi32>) -> tensor<2x2xf32>
    %sum = tower.pooled_lookup %table, %offsets, %values[%rows] sum longest(3) unless(%mask) feature(0) : (tensor<3x2xf32>, tensor<?xi64>, tensor<?xi32>, tensor<2xi32>, tensor<2xi1>) -> tensor<2x2xf32>
    %root = tower.pooled_lookup %table, %offsets, %values[%rows] sqrtn longest(3) : (tensor<3x2xf32>, tensor<?xi64>, tensor<?xi32>, tensor<2xi32>) -> tensor<2x2xf32>
    return %e, %v, %mean, %sum, %root : tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>
  })";

TEST(Oracle, LookupsPoolWhatTheirRowsHold) {
  // Row 0 has values 2, 2, 1; row 1 none.
  auto results = run(lookups, {reals({3, 2}, {1, 2, 3, 4, 5, 6}), integers({3}, {2, 0, 1}), integers({3}, {0, 3, 3}),
                               integers({3}, {2, 2, 1}), integers({2}, {1, 0}), integers({2}, {0, 1})});
  ASSERT_EQ(results.size(), 5u);
  expectNear(results[0], {1, 2, 5, 6});
  expectNear(results[1], {0, 0, 0, 0}); // masked
  expectNear(results[2], {0, 0, 13 / 3.0, 16 / 3.0});
  expectNear(results[3], {0, 0, 13, 16});
  expectNear(results[4], {0, 0, 13 / std::sqrt(3), 16 / std::sqrt(3)});
}

TEST(Oracle, AnIdOutOfItsTableIsNamed) {
  ParsedFunction function(lookups);
  ASSERT_TRUE(bool(function)) << function.message;
  auto results = function({reals({3, 2}, Reals(6)), integers({3}, {3, 0, 1}), integers({3}, {0, 3, 3}),
                           integers({3}, {2, 2, 1}), integers({2}, {1, 0}), integers({2}, {0, 1})});
  EXPECT_TRUE(failed(results));
  EXPECT_NE(function.message.find("id 3 is not in [0, 3)"), std::string::npos) << function.message;
}

TEST(Oracle, DroppedValuesDoNotCountInTheMean) {
  auto results = run(R"(func.func @f(%table: tensor<2x1xf32>, %offsets: tensor<?xi64>, %values: tensor<?xi32>,
      %rows: tensor<1xi32>, %step: tensor<i64>, %seed: tensor<i64>) -> (tensor<1x1xf32>, tensor<1x1xf32>) {
    %sum = tower.pooled_lookup %table, %offsets, %values[%rows] sum longest(40) dropout(3.0e-1, "ssl/1/words", %step, %seed)
      : (tensor<2x1xf32>, tensor<?xi64>, tensor<?xi32>, tensor<1xi32>, tensor<i64>, tensor<i64>) -> tensor<1x1xf32>
    %mean = tower.pooled_lookup %table, %offsets, %values[%rows] mean longest(40) dropout(3.0e-1, "ssl/1/words", %step, %seed)
      : (tensor<2x1xf32>, tensor<?xi64>, tensor<?xi32>, tensor<1xi32>, tensor<i64>, tensor<i64>) -> tensor<1x1xf32>
    return %sum, %mean : tensor<1x1xf32>, tensor<1x1xf32>
  })",
                     {reals({2, 1}, {0, 1}), integers({2}, {0, 40}), integers({40}, Integers(40, 1)),
                      integers({1}, {0}), Tensor::scalar(int64_t{2}), Tensor::scalar(int64_t{9})});
  ASSERT_EQ(results.size(), 2u);
  int kept = 0;
  for (int j = 0; j < 40; ++j)
    kept += !isDropped(9, "ssl/1/words", 2, 0, j, 0.3f);
  EXPECT_TRUE(0 < kept && kept < 40);
  expectNear(results[0], {double(kept)});
  expectNear(results[1], {1});
}

TEST(Oracle, DenseNumbersAreScaled) {
  auto results =
      run(R"(func.func @f(%n: tensor<?x2xf32>, %rows: tensor<1xi32>, %mean: tensor<2xf32>, %deviation: tensor<2xf32>)
      -> (tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>) {
    %a = tower.dense %n[%rows] none : (tensor<?x2xf32>, tensor<1xi32>) -> tensor<1x2xf32>
    %b = tower.dense %n[%rows] standardized(%mean, %deviation) : (tensor<?x2xf32>, tensor<1xi32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
    %c = tower.dense %n[%rows] log_standardized(%mean, %deviation) : (tensor<?x2xf32>, tensor<1xi32>, tensor<2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
    return %a, %b, %c : tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>
  })",
          {reals({2, 2}, {0, 0, 3, 7}), integers({1}, {1}), reals({2}, {1, 2}), reals({2}, {2, 5})});
  ASSERT_EQ(results.size(), 3u);
  expectNear(results[0], {3, 7});
  expectNear(results[1], {1, 1});
  expectNear(results[2], {(std::log(4) - 1) / 2, (std::log(8) - 2) / 5});
}

TEST(Oracle, AMaskedSegmentIsItsDefaultRow) {
  auto results = run(R"(func.func @f(%x: tensor<2x1xf32>, %y: tensor<2x1xf32>, %w: tensor<2x1xf32>, %b: tensor<1xf32>,
                                     %m: tensor<2xi1>, %dx: tensor<1xf32>, %dy: tensor<1xf32>) -> (tensor<2x1xf32>, tensor<2x1xf32>) {
    %plain = tower.segment_linear(%x, %y) weight(%w) bias(%b) : (tensor<2x1xf32>, tensor<2x1xf32>, tensor<2x1xf32>, tensor<1xf32>) -> tensor<2x1xf32>
    %view = tower.segment_linear(%x, %y) mask(%m, %dx, %dy) weight(%w) bias(%b)
      : (tensor<2x1xf32>, tensor<2x1xf32>, tensor<2xi1>, tensor<1xf32>, tensor<1xf32>, tensor<2x1xf32>, tensor<1xf32>) -> tensor<2x1xf32>
    return %plain, %view : tensor<2x1xf32>, tensor<2x1xf32>
  })",
                     {reals({2, 1}, {1, 2}), reals({2, 1}, {3, 4}), reals({2, 1}, {10, 100}), reals({1}, {0.5}),
                      integers({2}, {0, 1}), reals({1}, {7}), reals({1}, {8})});
  ASSERT_EQ(results.size(), 2u);
  expectNear(results[0], {310.5, 420.5});
  expectNear(results[1], {810.5, 820.5});
}

TEST(Oracle, LayersActivateAndNormalize) {
  auto results = run(R"(func.func @f(%x: tensor<1x2xf32>, %w: tensor<2x2xf32>, %b: tensor<2xf32>)
      -> (tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>) {
    %z = tower.linear %x, %w bias(%b) : (tensor<1x2xf32>, tensor<2x2xf32>, tensor<2xf32>) -> tensor<1x2xf32>
    %r = tower.activate relu %z : tensor<1x2xf32>
    %t = tower.activate tanh %z : tensor<1x2xf32>
    %g = tower.activate gelu %z : tensor<1x2xf32>
    %n = tower.normalize %z : tensor<1x2xf32>
    return %z, %r, %t, %g, %n : tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>
  })",
                     {reals({1, 2}, {1, 2}), reals({2, 2}, {1, -1, 1, -1}), reals({2}, {0, -1})});
  ASSERT_EQ(results.size(), 5u);
  expectNear(results[0], {3, -4});
  expectNear(results[1], {3, 0});
  expectNear(results[2], {std::tanh(3), std::tanh(-4)});
  expectNear(results[3], {3 * 0.9986501019683699, -4 * 3.167124183311992e-05});
  expectNear(results[4], {0.6, -0.8});
}

// 1/256 is half of what the last bit of a bf16 between 1 and 2 counts for.
TEST(Oracle, FactorsAreRoundedToBf16FromATieToTheEvenOne) {
  auto rounded = [](const char *text, std::vector<Tensor> arguments) {
    ParsedFunction function(text);
    EXPECT_TRUE(bool(function)) << function.message;
    auto results = function(arguments, {}, {.bf16 = true});
    EXPECT_TRUE(succeeded(results)) << function.message;
    return succeeded(results) ? results->values : std::vector<Tensor>();
  };
  double half = 1 / 256.0;
  auto layer = rounded(
      R"(func.func @f(%x: tensor<3x1xf32>, %w: tensor<1x1xf32>, %b: tensor<1xf32>) -> tensor<3x1xf32> {
    %z = tower.linear %x, %w bias(%b) : (tensor<3x1xf32>, tensor<1x1xf32>, tensor<1xf32>) -> tensor<3x1xf32>
    return %z : tensor<3x1xf32>
  })",
      {reals({3, 1}, {1 + half, 1 + 3 * half, -1 - 1.5 * half}), reals({1, 1}, {1 + half / 2}), reals({1}, {half})});
  ASSERT_EQ(layer.size(), 1u);
  expectNear(layer[0], {1 + half, 1 + 5 * half, -1 - half}, 0);
  // A masked row is a factor unless the product is of what is visible.
  const char *views = R"(func.func @f(%x: tensor<1x1xf32>, %m: tensor<1xi1>, %d: tensor<1xf32>, %w: tensor<1x1xf32>)
      -> (tensor<1x1xf32>, tensor<1x1xf32>) {
    %a = tower.segment_linear(%x) mask(%m, %d) weight(%w)
      : (tensor<1x1xf32>, tensor<1xi1>, tensor<1xf32>, tensor<1x1xf32>) -> tensor<1x1xf32>
    %b = tower.segment_linear(%x) mask(%m, %d) skip_masked weight(%w)
      : (tensor<1x1xf32>, tensor<1xi1>, tensor<1xf32>, tensor<1x1xf32>) -> tensor<1x1xf32>
    return %a, %b : tensor<1x1xf32>, tensor<1x1xf32>
  })";
  auto masked = rounded(views, {reals({1, 1}, {7}), integers({1}, {1}), reals({1}, {1 + half}), reals({1, 1}, {1})});
  ASSERT_EQ(masked.size(), 2u);
  expectNear(masked[0], {1}, 0);
  expectNear(masked[1], {1 + half}, 0);
}

TEST(Oracle, InBatchSoftmaxLeavesHitsOutAndCorrectsEveryColumn) {
  const char *text =
      R"(func.func @f(%q: tensor<2x1xf32>, %x: tensor<3x1xf32>, %ids: tensor<3xi32>, %log_q: tensor<3xf32>,
                                     %w: tensor<2xf32>) -> (tensor<f32>, tensor<2xf32>) {
    %loss, %lse = tower.in_batch_softmax %q, %x ids(%ids) log_q(%log_q) weights(%w) temperature(5.0e-1)
      : (tensor<2x1xf32>, tensor<3x1xf32>, tensor<3xi32>, tensor<3xf32>, tensor<2xf32>) -> (tensor<f32>, tensor<2xf32>)
    return %loss, %lse : tensor<f32>, tensor<2xf32>
  })";
  auto results = run(text, {reals({2, 1}, {1, 2}), reals({3, 1}, {1, 2, 3}), integers({3}, {5, 6, 5}),
                            reals({3}, {-1, -2, -3}), reals({2}, {1, 3})});
  ASSERT_EQ(results.size(), 2u);
  // Scores: row 0: 3, 6, 9 (left out: id 5 again); row 1: 5, 10, 15.
  double lse0 = std::log(std::exp(3) + std::exp(6));
  double lse1 = std::log(std::exp(5) + std::exp(10) + std::exp(15));
  expectNear(results[1], {lse0, lse1});
  expectNear(results[0], {(lse0 - 3 + 3 * (lse1 - 10)) / 4});
}

TEST(Oracle, PositivesOfTheSameQueryAreLeftOutAmongTheFirstColumnsOnly) {
  auto results = run(R"(func.func @f(%q: tensor<2x1xf32>, %x: tensor<3x1xf32>, %ids: tensor<2xi32>) -> tensor<2xf32> {
    %loss, %lse = tower.in_batch_softmax %q, %x query_ids(%ids) temperature(1.0)
      : (tensor<2x1xf32>, tensor<3x1xf32>, tensor<2xi32>) -> (tensor<f32>, tensor<2xf32>)
    return %lse : tensor<2xf32>
  })",
                     {reals({2, 1}, {1, 2}), reals({3, 1}, {1, 2, 3}), integers({2}, {4, 4})});
  ASSERT_EQ(results.size(), 1u);
  expectNear(results[0], {std::log(std::exp(1) + std::exp(3)), std::log(std::exp(4) + std::exp(6))});
}

TEST(Oracle, SpreadOutAndWeightedSum) {
  auto results = run(R"(func.func @f(%z: tensor<2x2xf32>) -> (tensor<f32>, tensor<f32>) {
    %a = tower.spread_out %z : tensor<2x2xf32>
    %b = tower.weighted_sum %a, %a weights([1.0, 0.5])
    return %a, %b : tensor<f32>, tensor<f32>
  })",
                     {reals({2, 2}, {1, 2, 3, 4})});
  ASSERT_EQ(results.size(), 2u);
  expectNear(results[0], {121});
  expectNear(results[1], {181.5});
}

TEST(Oracle, TopKOrdersTiesByRowAndLeavesRowsOut) {
  auto results = run(
      R"(func.func @f(%q: tensor<?x1xf32>, %x: tensor<?x1xf32>, %o: tensor<?xi64>, %r: tensor<?xi32>) -> (tensor<?x?xf32>, tensor<?x?xi32>) {
    %scores, %best = tower.top_k %q, %x exclude(%o, %r) : (tensor<?x1xf32>, tensor<?x1xf32>, tensor<?xi64>, tensor<?xi32>) -> (tensor<?x?xf32>, tensor<?x?xi32>)
    return %scores, %best : tensor<?x?xf32>, tensor<?x?xi32>
  })",
      {reals({2, 1}, {1, -1}), reals({4, 1}, {3, 5, 5, 1}), integers({3}, {0, 0, 2}), integers({2}, {0, 3})},
      {{"k", Tensor::scalar(int64_t{3})}});
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[1].integers, (Integers{1, 2, 0, 1, 2, -1}));
  EXPECT_EQ(results[0].reals, (Reals{5, 5, 3, -5, -5, -INFINITY}));
}

TEST(Oracle, SumRowsAddsEqualRowsAndSpoilsItsTail) {
  auto results = run(
      R"(func.func @f(%g: tensor<3x1xf32>, %ids: tensor<?xi32>, %rows: tensor<3xi32>, %o: tensor<?xi64>, %v: tensor<?xi32>)
      -> (tensor<4xi32>, tensor<4x1xf32>, tensor<i64>, tensor<f32>) {
    %a = tower.row_gradient %g, %ids[%rows] : (tensor<3x1xf32>, tensor<?xi32>, tensor<3xi32>) -> !tower.row_gradient<9x1>
    %b = tower.pooled_row_gradient %g, %o, %v[%rows] mean longest(2) : (tensor<3x1xf32>, tensor<?xi64>, tensor<?xi32>, tensor<3xi32>) -> !tower.row_gradient<9x1>
    %c = tower.merge_rows %a, %b : !tower.row_gradient<9x1>
    %r, %s, %n = tower.sum_rows %c : !tower.row_gradient<9x1> -> tensor<4xi32>, tensor<4x1xf32>, tensor<i64>
    %norm = tower.squared_norm %s count(%n) : (tensor<4x1xf32>, tensor<i64>) -> tensor<f32>
    return %r, %s, %n, %norm : tensor<4xi32>, tensor<4x1xf32>, tensor<i64>, tensor<f32>
  })",
      {reals({3, 1}, {1, 10, 100}), integers({2}, {7, 2}), integers({3}, {0, 1, 0}), integers({3}, {0, 2, 2}),
       integers({2}, {7, 5})});
  ASSERT_EQ(results.size(), 4u);
  EXPECT_EQ(results[2].integer(), 3);
  EXPECT_EQ(results[0].integers, (Integers{2, 5, 7, -1}));
  EXPECT_DOUBLE_EQ(results[1].reals[0], 10);
  EXPECT_DOUBLE_EQ(results[1].reals[1], 50.5);
  EXPECT_DOUBLE_EQ(results[1].reals[2], 151.5);
  EXPECT_TRUE(std::isnan(results[1].reals[3]));
  EXPECT_DOUBLE_EQ(results[3].real(), 100 + 50.5 * 50.5 + 151.5 * 151.5);
}

TEST(Oracle, OptimizersUpdateOnlyTheRowsTheyAreGiven) {
  auto results =
      run(R"(func.func @f(%p: tensor<3x2xf32>, %a: tensor<3xf32>, %rows: tensor<2xi32>, %g: tensor<2x2xf32>,
                                     %count: tensor<i64>, %factor: tensor<f32>, %scale: tensor<f32>) -> (tensor<3x2xf32>, tensor<3xf32>) {
    %new, %b = tower.rowwise_adagrad_rows %p, %a rows(%rows, %g, %count), %factor scale(%scale) rate(5.0e-1) epsilon(0.0)
      : (tensor<3x2xf32>, tensor<3xf32>, tensor<2xi32>, tensor<2x2xf32>, tensor<i64>, tensor<f32>, tensor<f32>) -> (tensor<3x2xf32>, tensor<3xf32>)
    return %new, %b : tensor<3x2xf32>, tensor<3xf32>
  })",
          {reals({3, 2}, {1, 1, 1, 1, 1, 1}), reals({3}, {0, 0, 0}), integers({2}, {2, -1}),
           reals({2, 2}, {6, 8, NAN, NAN}), Tensor::scalar(int64_t{1}), Tensor::scalar(2.0), Tensor::scalar(0.5)});
  ASSERT_EQ(results.size(), 2u);
  double root = std::sqrt(12.5); // of (9 + 16) / 2
  expectNear(results[1], {0, 0, 12.5});
  expectNear(results[0], {1, 1, 1, 1, 1 - 3 / root, 1 - 4 / root});
}

TEST(Oracle, AdamCorrectsItsBiasAndDecaysApart) {
  auto results = run(
      R"(func.func @f(%p: tensor<1xf32>, %m: tensor<1xf32>, %v: tensor<1xf32>, %g: tensor<1xf32>, %step: tensor<i64>, %factor: tensor<f32>)
      -> (tensor<1xf32>, tensor<1xf32>, tensor<1xf32>) {
    %new, %n, %w = tower.adam %p, %m, %v, %g step(%step), %factor rate(1.0) betas(5.0e-1, 7.5e-1) epsilon(1.0) decay(2.5e-1)
      : (tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<1xf32>, tensor<i64>, tensor<f32>) -> (tensor<1xf32>, tensor<1xf32>, tensor<1xf32>)
    return %new, %n, %w : tensor<1xf32>, tensor<1xf32>, tensor<1xf32>
  })",
      {reals({1}, {8}), reals({1}, {1}), reals({1}, {2}), reals({1}, {4}), Tensor::scalar(int64_t{1}),
       Tensor::scalar(1.0)});
  ASSERT_EQ(results.size(), 3u);
  double m = 2.5, v = 5.5; // after 2 steps: 1 - 0.5^2 and 1 - 0.75^2
  expectNear(results[1], {m});
  expectNear(results[2], {v});
  expectNear(results[0], {8 - (m / 0.75) / (std::sqrt(v / 0.4375) + 1) - 0.25 * 8});
}

TEST(Oracle, SgdAdagradAndClipping) {
  auto results = run(
      R"(func.func @f(%p: tensor<2xf32>, %g: tensor<2xf32>, %factor: tensor<f32>) -> (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<f32>) {
    %n = tower.squared_norm %g : (tensor<2xf32>) -> tensor<f32>
    %scale = tower.clip_scale %n norm(2.5)
    %s = tower.sgd %p, %g, %factor scale(%scale) rate(1.0) decay(5.0e-1) : (tensor<2xf32>, tensor<2xf32>, tensor<f32>, tensor<f32>) -> tensor<2xf32>
    %new, %b = tower.adagrad %p, %p, %g, %factor rate(1.0) epsilon(1.0) decay(0.0) : (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<f32>) -> (tensor<2xf32>, tensor<2xf32>)
    return %s, %new, %b, %scale : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<f32>
  })",
      {reals({2}, {7, 0}), reals({2}, {3, 4}), Tensor::scalar(1.0)});
  ASSERT_EQ(results.size(), 4u);
  expectNear(results[3], {0.5});
  expectNear(results[0], {7 - 1.5 - 3.5, -2});
  expectNear(results[1], {7 - 3 / 5.0, -4 / 5.0});
  expectNear(results[2], {16, 16});
}

TEST(Oracle, AGradientIsRefusedOrFoundByDifferences) {
  ParsedFunction function(
      R"(func.func @f(%table: tensor<3x2xf32>, %ids: tensor<?xi32>, %rows: tensor<2xi32>) -> !tower.row_gradient<3x2> {
    %e = tower.lookup %table, %ids[%rows] : (tensor<3x2xf32>, tensor<?xi32>, tensor<2xi32>) -> tensor<2x2xf32>
    %loss = tower.spread_out %e : tensor<2x2xf32>
    %g = tower.gradient %loss wrt(%table) : (tensor<f32>, tensor<3x2xf32>) -> !tower.row_gradient<3x2>
    return %g : !tower.row_gradient<3x2>
  })");
  ASSERT_TRUE(bool(function)) << function.message;
  std::vector<Tensor> arguments = {reals({3, 2}, {9, 9, 1, 2, 3, 4}), integers({2}, {1, 2}), integers({2}, {0, 1})};
  EXPECT_TRUE(failed(function(arguments)));
  EXPECT_NE(function.message.find("--tower-differentiate"), std::string::npos) << function.message;
  auto results = function(arguments, {}, {.differences = 1e-5});
  ASSERT_TRUE(succeeded(results));
  // 2 <a, b> x the other row, <a, b> = 11
  expectNear(dense(results->values[0]), {0, 0, 66, 88, 22, 44}, 1e-4);
}

TEST(Oracle, ArgumentsAreNamedByTheirAttribute) {
  ParsedFunction function(R"(func.func @f(
      %p: tensor<2xf32> {tower.argument = {kind = "tensor", name = "tower/t/layer0/bias"}},
      %g: tensor<2xf32> {tower.argument = {kind = "column", entity = "e", column = "c", part = "numbers"}},
      %factor: tensor<f32> {tower.argument = {kind = "rate"}}) -> (tensor<2xf32> {tower.updates = 0 : i64}) {
    %s = tower.sgd %p, %g, %factor rate(1.0) decay(0.0) : (tensor<2xf32>, tensor<2xf32>, tensor<f32>) -> tensor<2xf32>
    return %s : tensor<2xf32>
  })");
  ASSERT_TRUE(bool(function)) << function.message;
  auto results = function({}, {{"tensor/tower/t/layer0/bias", reals({2}, {1, 2})},
                               {"column/e/c/numbers", reals({2}, {3, 5})},
                               {"rate", Tensor::scalar(2.0)}});
  ASSERT_TRUE(succeeded(results)) << function.message;
  EXPECT_EQ(results->named["tower/t/layer0/bias"].reals, (Reals{-5, -8}));
  EXPECT_EQ(results->gradients["tower/t/layer0/bias"].reals, (Reals{3, 5}));
}

} // namespace
