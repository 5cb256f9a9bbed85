// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every differentiable op alone: its adjoint against central differences.

#include "test/oracle/Adjoint.h"
#include "test/oracle/ParsedFunction.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace tower;
using namespace tower::oracle;

namespace {

struct Case {
  const char *name;
  const char *signature; ///< Of the op alone; f32 arguments are drawn.
  const char *op;
};

// Integer arguments of all cases, by the argument's name in the text.
const std::map<std::string, Tensor> integerArguments = {
    {"%ids", Tensor::ofIntegers({7}, {0, 3, 3, 1, 4, 2, 0})},
    {"%rows", Tensor::ofIntegers({5}, {6, 1, 2, 2, 4})},
    {"%offsets", Tensor::ofIntegers({8}, {0, 2, 5, 5, 6, 9, 9, 10})},
    {"%values", Tensor::ofIntegers({10}, {4, 4, 1, 2, 3, 0, 2, 2, 1, 4})},
    {"%mask", Tensor::ofIntegers({3}, {0, 1, 0})},
    {"%items", Tensor::ofIntegers({6}, {3, 1, 3, 2, 3, 1})},
    {"%queries", Tensor::ofIntegers({5}, {8, 9, 8, 7, 9})},
    {"%distinct", Tensor::ofIntegers({3}, {6, 1, 2})},
    {"%inverse", Tensor::ofIntegers({5}, {0, 1, 2, 2, 2})},
    {"%asked", Tensor::ofIntegers({5}, {2, 0, 2, 1, 2})},
    {"%counts", Tensor::ofIntegers({3}, {1, 1, 3})},
    {"%step", Tensor::scalar(int64_t{3})},
    {"%seed", Tensor::scalar(int64_t{11})},
};

const Case cases[] = {
    {"lookup", "%table: tensor<5x3xf32>, %ids: tensor<?xi32>, %rows: tensor<5xi32>",
     "tower.lookup %table, %ids[%rows] : (tensor<5x3xf32>, tensor<?xi32>, tensor<5xi32>) -> tensor<5x3xf32>"},
    {"lookup_visible", "%table: tensor<5x3xf32>, %ids: tensor<?xi32>, %rows: tensor<5xi32>, %mask: tensor<3xi1>",
     "tower.lookup %table, %ids[%rows] unless(%mask) feature(0) : (tensor<5x3xf32>, tensor<?xi32>, tensor<5xi32>, "
     "tensor<3xi1>) -> tensor<5x3xf32>"},
    {"lookup_masked", "%table: tensor<5x3xf32>, %ids: tensor<?xi32>, %rows: tensor<5xi32>, %mask: tensor<3xi1>",
     "tower.lookup %table, %ids[%rows] unless(%mask) feature(1) : (tensor<5x3xf32>, tensor<?xi32>, tensor<5xi32>, "
     "tensor<3xi1>) -> tensor<5x3xf32>"},
    {"lookup_onto",
     "%table: tensor<5x3xf32>, %ids: tensor<?xi32>, %rows: tensor<5xi32>, %mask: tensor<3xi1>, %x: tensor<5x3xf32>",
     "tower.lookup %table, %ids[%rows] unless(%mask) feature(1) onto(%x) : (tensor<5x3xf32>, tensor<?xi32>, "
     "tensor<5xi32>, tensor<3xi1>, tensor<5x3xf32>) -> tensor<5x3xf32>"},
#define POOLED "%table: tensor<5x3xf32>, %offsets: tensor<?xi64>, %values: tensor<?xi32>, %rows: tensor<5xi32>"
#define POOLED_TYPES "tensor<5x3xf32>, tensor<?xi64>, tensor<?xi32>, tensor<5xi32>"
    {"pooled_mean", POOLED,
     "tower.pooled_lookup %table, %offsets, %values[%rows] mean longest(3) : (" POOLED_TYPES ") -> tensor<5x3xf32>"},
    {"pooled_sum", POOLED,
     "tower.pooled_lookup %table, %offsets, %values[%rows] sum longest(3) : (" POOLED_TYPES ") -> tensor<5x3xf32>"},
    {"pooled_sqrtn", POOLED,
     "tower.pooled_lookup %table, %offsets, %values[%rows] sqrtn longest(3) : (" POOLED_TYPES ") -> tensor<5x3xf32>"},
    {"pooled_dropout", POOLED ", %mask: tensor<3xi1>, %step: tensor<i64>, %seed: tensor<i64>",
     "tower.pooled_lookup %table, %offsets, %values[%rows] mean longest(3) unless(%mask) feature(2) dropout(4.0e-1, "
     "\"s\", %step, %seed) : (" POOLED_TYPES ", tensor<3xi1>, tensor<i64>, tensor<i64>) -> tensor<5x3xf32>"},
    {"pooled_onto", POOLED ", %x: tensor<5x3xf32>",
     "tower.pooled_lookup %table, %offsets, %values[%rows] sqrtn longest(3) onto(%x) : (" POOLED_TYPES
     ", tensor<5x3xf32>) -> tensor<5x3xf32>"},
#define SEGMENTS "%x: tensor<5x2xf32>, %y: tensor<5x1xf32>, %z: tensor<5x3xf32>"
#define SEGMENT_TYPES "tensor<5x2xf32>, tensor<5x1xf32>, tensor<5x3xf32>"
    {"segment_linear", SEGMENTS ", %w: tensor<6x4xf32>, %b: tensor<4xf32>",
     "tower.segment_linear(%x, %y, %z) weight(%w) bias(%b) : (" SEGMENT_TYPES
     ", tensor<6x4xf32>, tensor<4xf32>) -> tensor<5x4xf32>"},
    {"segment_linear_masked",
     SEGMENTS ", %mask: tensor<3xi1>, %dx: tensor<2xf32>, %dy: tensor<1xf32>, %dz: tensor<3xf32>, %w: tensor<6x4xf32>",
     "tower.segment_linear(%x, %y, %z) mask(%mask, %dx, %dy, %dz) weight(%w) : (" SEGMENT_TYPES
     ", tensor<3xi1>, tensor<2xf32>, tensor<1xf32>, tensor<3xf32>, tensor<6x4xf32>) -> tensor<5x4xf32>"},
    {"segment_linear_onto", SEGMENTS ", %w: tensor<6x4xf32>, %b: tensor<4xf32>, %sum: tensor<5x4xf32>",
     "tower.segment_linear(%x, %y, %z) weight(%w) bias(%b) onto(%sum) relu : (" SEGMENT_TYPES
     ", tensor<6x4xf32>, tensor<4xf32>, tensor<5x4xf32>) -> tensor<5x4xf32>"},
    {"project", "%table: tensor<5x3xf32>, %w: tensor<3x4xf32>",
     "tower.project %table, %w : (tensor<5x3xf32>, tensor<3x4xf32>) -> tensor<5x4xf32>"},
    {"linear", "%x: tensor<5x3xf32>, %w: tensor<3x4xf32>, %b: tensor<4xf32>",
     "tower.linear %x, %w bias(%b) : (tensor<5x3xf32>, tensor<3x4xf32>, tensor<4xf32>) -> tensor<5x4xf32>"},
    {"identity", "%x: tensor<5x3xf32>", "tower.activate identity %x : tensor<5x3xf32>"},
    {"relu", "%x: tensor<5x3xf32>", "tower.activate relu %x : tensor<5x3xf32>"},
    {"tanh", "%x: tensor<5x3xf32>", "tower.activate tanh %x : tensor<5x3xf32>"},
    {"gelu", "%x: tensor<5x3xf32>", "tower.activate gelu %x : tensor<5x3xf32>"},
    {"normalize", "%x: tensor<5x3xf32>", "tower.normalize %x : tensor<5x3xf32>"},
    {"stack", "%x: tensor<2x3xf32>, %y: tensor<4x3xf32>",
     "tower.stack %x, %y : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<6x3xf32>"},
#define DISTINCT "%distinct: tensor<?xi32, #tower.bound<5>>"
#define COUNTED "tensor<?x3xf32, #tower.bound<5>>"
    {"expand_rows", "%x: " COUNTED ", " DISTINCT ", %inverse: tensor<5xi32>",
     "tower.expand_rows %x of %distinct[%inverse] : (" COUNTED ", tensor<?xi32, #tower.bound<5>>, tensor<5xi32>) -> "
     "tensor<5x3xf32>"},
    {"normalize_counted", "%x: " COUNTED, "tower.normalize %x : " COUNTED},
    {"softmax_counted",
     "%q: tensor<5x3xf32>, %x: " COUNTED ", %l: tensor<?xf32, #tower.bound<5>>, %inverse: tensor<5xi32>, "
     "%counts: tensor<?xi32, #tower.bound<5>>",
     "tower.in_batch_softmax %q, %x log_q(%l) positives(%inverse) counts(%counts) temperature(5.0e-1) : "
     "(tensor<5x3xf32>, " COUNTED ", tensor<?xf32, #tower.bound<5>>, tensor<5xi32>, tensor<?xi32, #tower.bound<5>>) -> "
     "(tensor<f32>, tensor<5xf32>)"},
    {"softmax_counted_without_copies",
     "%q: tensor<5x3xf32>, %x: " COUNTED ", " DISTINCT ", %w: tensor<5xf32>, %inverse: tensor<5xi32>, "
     "%counts: tensor<?xi32, #tower.bound<5>>",
     "tower.in_batch_softmax %q, %x ids(%distinct) weights(%w) positives(%inverse) counts(%counts) "
     "temperature(5.0e-1) : (tensor<5x3xf32>, " COUNTED ", tensor<?xi32, #tower.bound<5>>, tensor<5xf32>, "
     "tensor<5xi32>, tensor<?xi32, #tower.bound<5>>) -> (tensor<f32>, tensor<5xf32>)"},
    {"softmax_of_distinct_queries",
     "%q: " COUNTED ", %x: " COUNTED ", " DISTINCT ", %w: tensor<5xf32>, %inverse: tensor<5xi32>, "
     "%counts: tensor<?xi32, #tower.bound<5>>, %asked: tensor<5xi32>",
     "tower.in_batch_softmax %q, %x ids(%distinct) weights(%w) positives(%inverse) counts(%counts) query_rows(%asked) "
     "temperature(5.0e-1) : (" COUNTED ", " COUNTED ", tensor<?xi32, #tower.bound<5>>, tensor<5xf32>, tensor<5xi32>, "
     "tensor<?xi32, #tower.bound<5>>, tensor<5xi32>) -> (tensor<f32>, tensor<5xf32>)"},
    {"unstack", "%x: tensor<5x3xf32>", "tower.unstack %x : tensor<5x3xf32> -> tensor<2x3xf32>, tensor<3x3xf32>"},
    {"softmax", "%q: tensor<5x3xf32>, %x: tensor<6x3xf32>",
     "tower.in_batch_softmax %q, %x temperature(5.0e-1) : (tensor<5x3xf32>, tensor<6x3xf32>) -> (tensor<f32>, "
     "tensor<5xf32>)"},
    {"softmax_full",
     "%q: tensor<5x3xf32>, %x: tensor<6x3xf32>, %items: tensor<6xi32>, %l: tensor<6xf32>, %w: tensor<5xf32>, "
     "%queries: tensor<5xi32>",
     "tower.in_batch_softmax %q, %x ids(%items) log_q(%l) weights(%w) query_ids(%queries) temperature(5.0e-1) : "
     "(tensor<5x3xf32>, tensor<6x3xf32>, tensor<6xi32>, tensor<6xf32>, tensor<5xf32>, tensor<5xi32>) -> (tensor<f32>, "
     "tensor<5xf32>)"},
    {"spread_out", "%z: tensor<5x3xf32>", "tower.spread_out %z : tensor<5x3xf32>"},
    {"weighted_sum", "%a: tensor<f32>, %b: tensor<f32>", "tower.weighted_sum %a, %b weights([1.0, 0.25])"},
};

class Adjoint : public testing::TestWithParam<Case> {};

TEST_P(Adjoint, AgreesWithCentralDifferences) {
  StringRef text(GetParam().op);
  bool two = text.starts_with("tower.in_batch_softmax") || text.starts_with("tower.unstack");
  std::string results = two ? "%0:2 = " : "%0 = ";
  ParsedFunction parsed("func.func @f(" + std::string(GetParam().signature) + ") {\n" + results + GetParam().op +
                        "\nreturn }");
  ASSERT_TRUE(bool(parsed)) << parsed.message;
  Operation &op = parsed.function().getBody().front().front();
  SmallVector<StringRef> parameters;
  StringRef(GetParam().signature).split(parameters, ", %");
  std::map<std::string, int64_t> position;
  RandomEngine random(5);
  SmallVector<Tensor> operands;
  for (mlir::Value operand : op.getOperands()) {
    StringRef name = parameters[cast<BlockArgument>(operand).getArgNumber()].split(':').first;
    std::string key = name.starts_with("%") ? name.str() : "%" + name.str();
    auto type = cast<RankedTensorType>(operand.getType());
    if (integerArguments.count(key))
      operands.push_back(integerArguments.at(key));
    else {
      Tensor drawn;
      drawn.shape = type.getShape().vec();
      if (boundOf(type)) // as many as %distinct
        drawn.shape[0] = 3;
      drawn.reals = normalNumbers(random, drawn.count());
      operands.push_back(drawn);
    }
    if (key == "%w" && type.getRank() == 1) // weights of pairs
      for (double &weight : operands.back().reals)
        weight = std::abs(weight);
  }
  EXPECT_EQ(checkAdjoint(cast<Differentiable>(op), operands, random), "");
}

INSTANTIATE_TEST_SUITE_P(Ops, Adjoint, testing::ValuesIn(cases),
                         [](const testing::TestParamInfo<Case> &info) { return info.param.name; });

} // namespace
