// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// First values of tensors, constants of columns, and the search for numbers that are not finite.
#include "runtime/Tensors.h"
#include "runtime/Error.h"
#include "runtime/Philox.h"
#include "test/unit/RuntimeFixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

using namespace tower::rt;
using namespace tower::test;
using testing::HasSubstr;

namespace {

TensorInfo tensorOf(InitKind kind, double scale, uint64_t seed = 0) {
  TensorInfo tensor;
  tensor.name = "table/t";
  tensor.init.kind = kind;
  tensor.init.scale = scale;
  tensor.init.seed = seed;
  return tensor;
}

std::vector<float> drawn(const TensorInfo &tensor, size_t count, unsigned threads, uint64_t seed = 1) {
  Pool pool(threads);
  std::vector<float> values(count);
  drawInitial(tensor, seed, values, pool);
  return values;
}

/// The formulas of docs/Manifest.md, one element at a time.
double expected(const TensorInfo &tensor, uint64_t element, uint64_t seed) {
  PhiloxCounter words = philox({static_cast<uint32_t>(element / 2), static_cast<uint32_t>(element / 2 >> 32), 0, 0},
                               philoxKey(seed, fnv1a32("init/" + tensor.name)));
  if (tensor.init.kind == InitKind::Uniform)
    return (2 * (words[element % 2] + 0.5) / 0x1p32 - 1) * tensor.init.scale;
  double radius = std::sqrt(-2 * std::log((words[0] + 1.0) / 0x1p32));
  double angle = 2 * std::numbers::pi * (words[1] / 0x1p32);
  return tensor.init.scale * radius * (element % 2 ? std::sin(angle) : std::cos(angle));
}

} // namespace

TEST(Initialize, FollowsTheFormulas) {
  for (InitKind kind : {InitKind::Normal, InitKind::Uniform}) {
    TensorInfo tensor = tensorOf(kind, 0.05);
    std::vector<float> values = drawn(tensor, 200001, 2);
    for (size_t i = 0; i < values.size(); ++i)
      ASSERT_NEAR(values[i], expected(tensor, i, 1), 2e-8) << i;
  }
}

TEST(Initialize, IsTheSameOnAnyNumberOfThreads) {
  for (InitKind kind : {InitKind::Normal, InitKind::Uniform})
    for (size_t count : {1u, 63u, 64u, 65u, 65537u, 300000u}) {
      TensorInfo tensor = tensorOf(kind, 1);
      std::vector<float> one = drawn(tensor, count, 1), three = drawn(tensor, count, 3);
      EXPECT_EQ(std::memcmp(one.data(), three.data(), count * sizeof(float)), 0) << count;
      // A longer tensor begins with the same numbers.
      std::vector<float> longer = drawn(tensor, count + 100, 1);
      EXPECT_EQ(std::memcmp(one.data(), longer.data(), count * sizeof(float)), 0) << count;
    }
}

TEST(Initialize, HasTheMomentsOfItsDistribution) {
  for (auto [kind, deviation] : {std::pair(InitKind::Normal, 2.0), std::pair(InitKind::Uniform, 2.0 / std::sqrt(3))}) {
    double sum = 0, squares = 0, largest = 0;
    std::vector<float> values = drawn(tensorOf(kind, 2), 1000000, 2);
    for (float x : values) {
      sum += x;
      squares += double{x} * x;
      largest = std::max(largest, std::fabs(double{x}));
    }
    EXPECT_NEAR(sum / 1e6, 0, 0.01);
    EXPECT_NEAR(std::sqrt(squares / 1e6), deviation, 0.01);
    EXPECT_LT(largest, kind == InitKind::Normal ? 13.4 : 2.0001);
  }
}

TEST(Initialize, ATensorsOwnSeedComesFirst) {
  EXPECT_EQ(drawn(tensorOf(InitKind::Normal, 1, 7), 10, 1, 1), drawn(tensorOf(InitKind::Normal, 1), 10, 1, 7));
  EXPECT_NE(drawn(tensorOf(InitKind::Normal, 1, 7), 10, 1, 1), drawn(tensorOf(InitKind::Normal, 1), 10, 1, 1));
}

TEST(Tensors, AreInitializedByTheirKind) {
  TemporaryFolder folder;
  writeDataset(folder);
  Dataset data(folder.path());
  Pool pool(2);
  Manifest manifest = parseManifest(fakeManifest().dump());
  Tensors tensors(manifest);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensors[1].data()) % 64, 0u);
  tensors.initialize(data, 5, pool);
  for (size_t i = 0; i < 6; ++i)
    EXPECT_NEAR(tensors["table/color"][i], expected(manifest.tensors[0], i, 5), 1e-8);
  for (float x : tensors["table/color/adagrad"])
    EXPECT_EQ(x, 0.1f);
  EXPECT_FLOAT_EQ(tensors["entity/item/size/mean"][0], 1.5f);
  double logs[] = {0, std::log(2), std::log(3), std::log(4)}, mean = (logs[1] + logs[2] + logs[3]) / 4, squares = 0;
  for (double x : logs)
    squares += (x - mean) * (x - mean);
  EXPECT_FLOAT_EQ(tensors["entity/item/size/deviation"][0], static_cast<float>(std::sqrt(squares / 4)));
  EXPECT_EQ(messageOf([&] { tensors["table/hue"]; }), "the model has no tensor 'table/hue'");
}

// Large enough for many pieces, and for zeros that begin and end within a page; what was there before leaves no trace.
TEST(Tensors, AreInitializedToTheSameBitsOnAnyNumberOfThreads) {
  TemporaryFolder folder;
  writeDataset(folder);
  Dataset data(folder.path());
  Json json = fakeManifest();
  int64_t rows = 150001, offset = 256;
  for (const char *init : {R"({"kind": "normal", "scale": 0.5, "seed": 0})", R"({"kind": "zero", "scale": 0})",
                           R"({"kind": "uniform", "scale": 0.5, "seed": 3})", R"({"kind": "zero", "scale": 0})",
                           R"({"kind": "constant", "scale": 0.1})"}) {
    json["tensors"].push_back({{"name", "table/" + std::to_string(offset)},
                               {"role", "parameter"},
                               {"shape", {rows, 3}},
                               {"offset", offset},
                               {"init", Json::parse(init)}});
    offset += (rows * 3 * 4 + 63) / 64 * 64;
  }
  json["tensor_bytes"] = offset;
  Manifest manifest = parseManifest(json.dump());
  Tensors one(manifest), two(manifest);
  Pool single(1), both(2);
  one.initialize(data, 5, single);
  for (size_t i = 0; i < two.size(); ++i)
    std::fill(two[i].begin(), two[i].end(), NAN);
  two.initialize(data, 5, both);
  for (size_t i = 0; i < one.size(); ++i)
    EXPECT_EQ(std::memcmp(one[i].data(), two[i].data(), one[i].size_bytes()), 0) << one.info(i).name;
  EXPECT_EQ(std::count(two[5].begin(), two[5].end(), 0.0f), 3 * rows);
  EXPECT_EQ(std::count(two[7].begin(), two[7].end(), 0.0f), 3 * rows);
  EXPECT_EQ(std::count(two[8].begin(), two[8].end(), 0.1f), 3 * rows);
}

TEST(Tensors, NumbersThatAreNotFiniteAreFound) {
  Pool pool(2);
  Tensors tensors(parseManifest(fakeManifest().dump()));
  tensors[0][5] = std::numeric_limits<float>::max();
  EXPECT_EQ(tensors.findNotFinite(pool), nullptr);
  for (float bad : {NAN, -NAN, INFINITY, -INFINITY}) {
    tensors[1][5] = bad;
    ASSERT_NE(tensors.findNotFinite(pool), nullptr);
    EXPECT_EQ(tensors.findNotFinite(pool)->name, "table/color/adagrad");
  }
}

TEST(ColumnMoments, AreOfEachNumber) {
  std::vector<float> numbers = {1, 5, 3, 5};
  Column column;
  column.path = "data/item/x.npy";
  column.width = 2;
  column.numbers = numbers;
  Moments moments = columnMoments(column, false);
  EXPECT_EQ(moments.mean, (std::vector<double>{2, 5}));
  EXPECT_EQ(moments.deviation, (std::vector<double>{1, 1})); // that of the second is 0
}

TEST(ColumnMoments, OfAConstantAreItselfAndOne) {
  std::vector<float> numbers(11, 0.5f); // 11 log(1.5), rounded, divided by 11 is not log(1.5)
  Column column;
  column.width = 1;
  column.numbers = numbers;
  Moments moments = columnMoments(column, true);
  EXPECT_EQ(moments.mean, (std::vector<double>{std::log1p(0.5)}));
  EXPECT_EQ(moments.deviation, (std::vector<double>{1}));
}

TEST(ColumnMoments, LogarithmsNeedNumbersAboveMinusOne) {
  std::vector<float> numbers = {1, 2, -1, 5};
  Column column;
  column.path = "data/item/x.npy";
  column.width = 2;
  column.numbers = numbers;
  EXPECT_EQ(messageOf([&] { columnMoments(column, true); }),
            "data/item/x.npy: row 1: log(1 + x) needs x > -1, found -1.000000");
}
