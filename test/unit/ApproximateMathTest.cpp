// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Measures the error of the polynomials that stand for libm.
#include "test/unit/Jit.h"
#include <cmath>
#include <cstdio>
#include <gtest/gtest.h>
#include <limits>

using namespace tower::test;

namespace {

constexpr int64_t kPoints = 4096;

/// A loop over two buffers that applies one function, to vectors of 16 and to scalars.
std::string source() {
  std::string text;
  for (std::string name : {"exp", "log", "tanh", "erf"}) {
    text += "func.func @" + name + R"((%x: memref<4096xf32>, %y: memref<4096xf32>) attributes {llvm.emit_c_interface} {
      %c0 = arith.constant 0 : index
      %c16 = arith.constant 16 : index
      %end = arith.constant 4080 : index
      scf.for %i = %c0 to %end step %c16 {
        %v = vector.load %x[%i] : memref<4096xf32>, vector<16xf32>
        %r = math.)" +
            name + R"( %v : vector<16xf32>
        vector.store %r, %y[%i] : memref<4096xf32>, vector<16xf32>
      }
      %c1 = arith.constant 1 : index
      %last = arith.constant 4096 : index
      scf.for %i = %end to %last step %c1 {
        %v = memref.load %x[%i] : memref<4096xf32>
        %r = math.)" +
            name + R"( %v : f32
        memref.store %r, %y[%i] : memref<4096xf32>
      }
      return
    })";
  }
  return text;
}

class ApproximateMath : public testing::Test {
protected:
  static void SetUpTestSuite() { jit = Jit::compile(source(), "tower-approximate-math").release(); }
  static void TearDownTestSuite() { delete jit; }
  void SetUp() override { ASSERT_NE(jit, nullptr); }

  std::vector<float> apply(const std::string &name, std::vector<float> x) {
    std::vector<float> y(kPoints);
    auto from = memRef(x.data(), kPoints), to = memRef(y.data(), kPoints);
    jit->call(name, from, to);
    return y;
  }

  /// The largest error over points spread evenly over [low, high]; relative if asked for.
  double maxError(const std::string &name, double low, double high, double (*exact)(double), bool relative) {
    std::vector<float> x(kPoints);
    for (int64_t i = 0; i < kPoints; ++i)
      x[i] = static_cast<float>(low + (high - low) * static_cast<double>(i) / (kPoints - 1));
    std::vector<float> y = apply(name, x);
    double worst = 0;
    for (int64_t i = 0; i < kPoints; ++i) {
      double wanted = exact(x[i]);
      double error = std::abs(y[i] - wanted) / (relative ? std::abs(wanted) : 1.0);
      worst = std::isnan(error) ? error : std::max(worst, error);
    }
    std::printf("%s on [%g, %g]: %s error at most %.2g\n", name.c_str(), low, high, relative ? "relative" : "absolute",
                worst);
    return worst;
  }

  /// The result for one argument, by the vector and by the scalar code.
  float one(const std::string &name, float x) {
    std::vector<float> y = apply(name, std::vector<float>(kPoints, x));
    EXPECT_TRUE(y.front() == y.back() || (std::isnan(y.front()) && std::isnan(y.back())));
    return y.front();
  }

  static Jit *jit;
};
Jit *ApproximateMath::jit = nullptr;

TEST_F(ApproximateMath, ExpIsCloseToExact) {
  EXPECT_LT(maxError("exp", -87, 88, std::exp, true), 3e-7);
  EXPECT_LT(maxError("exp", -1, 1, std::exp, true), 2e-7);
}

TEST_F(ApproximateMath, ExpOfExtremes) {
  EXPECT_EQ(one("exp", 0.0f), 1.0f);
  EXPECT_NEAR(one("exp", -90.0f), 0.0, 1e-37);
  EXPECT_NEAR(one("exp", -1e30f), 0.0, 1e-37);
  EXPECT_EQ(one("exp", -std::numeric_limits<float>::infinity()), 0.0f);
  EXPECT_EQ(one("exp", 100.0f), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(one("exp", std::nanf(""))));
}

TEST_F(ApproximateMath, LogIsCloseToExact) {
  EXPECT_LT(maxError("log", 1.2e-38, 1e-30, std::log, true), 3e-7);
  EXPECT_LT(maxError("log", 1e-6, 0.9, std::log, true), 3e-7);
  EXPECT_LT(maxError("log", 0.9, 1.1, std::log, false), 1e-7);
  EXPECT_LT(maxError("log", 1.1, 1e8, std::log, true), 3e-7);
}

TEST_F(ApproximateMath, LogOfExtremes) {
  EXPECT_EQ(one("log", 1.0f), 0.0f);
  EXPECT_EQ(one("log", 0.0f), -std::numeric_limits<float>::infinity());
  EXPECT_EQ(one("log", std::numeric_limits<float>::infinity()), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(one("log", -1.0f)));
}

TEST_F(ApproximateMath, TanhAndErfAreCloseToExact) {
  EXPECT_LT(maxError("tanh", -10, 10, std::tanh, false), 5e-7);
  EXPECT_LT(maxError("erf", -5, 5, std::erf, false), 5e-7);
  EXPECT_NEAR(one("tanh", 100.0f), 1.0, 1e-6);
  EXPECT_NEAR(one("erf", -100.0f), -1.0, 1e-6);
}

} // namespace
