// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compares generated products with three plain loops, bit by bit: each element of C is to be one chain of fused
// multiply-adds in the order of k. Operands end at a page that must not be touched.
#include "passes/Products.h"
#include "dialect/Tower.h"
#include "mlir/AsmParser/AsmParser.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "test/unit/Jit.h"
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <sys/mman.h>
#include <unistd.h>

using namespace tower::test;

namespace {

/// rows x columns floats, `stride` apart from row to row, the last one at the end of readable memory.
class Guarded {
public:
  Guarded(int64_t rows, int64_t columns, int64_t stride) : rows(rows), columns(columns), stride(stride) {
    size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    size_t bytes = static_cast<size_t>((rows - 1) * stride + columns) * sizeof(float);
    size_t whole = (bytes + page - 1) / page * page;
    mapped = whole + page;
    base = static_cast<char *>(mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    mprotect(base + whole, page, PROT_NONE);
    data = reinterpret_cast<float *>(base + whole - bytes);
  }
  Guarded(const Guarded &) = delete;
  ~Guarded() { munmap(base, mapped); }

  int64_t size() const { return (rows - 1) * stride + columns; }
  float &at(int64_t i, int64_t j) { return data[i * stride + j]; }
  void fill(std::mt19937 &random) {
    std::uniform_real_distribution<float> distribution(-1, 1);
    for (int64_t i = 0; i < size(); ++i)
      data[i] = distribution(random);
  }
  MemRef<float, 2> descriptor() { return memRef(data, rows, columns, stride); }

  int64_t rows, columns, stride;
  float *data;

private:
  char *base;
  size_t mapped;
};

struct Case {
  int64_t m, n, k;
  bool transposeA = false, transposeB = false, overwrite = true;
  /// Which of M, N and K the IR does not know.
  bool dynamicM = false, dynamicN = false, dynamicK = false;
  /// What rows are longer than the matrix.
  int64_t gap = 0;
  /// The IR does not know strides and offset.
  bool dynamicLayout = false;
  /// Operands are rounded to bf16.
  bool bf16 = false;

  std::string memref(int64_t rows, bool dynamicRows, int64_t columns, bool dynamicColumns) const {
    auto dim = [](int64_t size, bool dynamic) { return dynamic ? std::string("?") : std::to_string(size); };
    std::string layout;
    if (dynamicLayout)
      layout = ", strided<[?, 1], offset: ?>";
    else if (gap)
      layout = ", strided<[" + dim(columns + gap, dynamicColumns) + ", 1]>";
    return "memref<" + dim(rows, dynamicRows) + "x" + dim(columns, dynamicColumns) + "xf32" + layout + ">";
  }

  std::string typeOfA() const {
    return transposeA ? memref(k, dynamicK, m, dynamicM) : memref(m, dynamicM, k, dynamicK);
  }
  std::string typeOfB() const {
    return transposeB ? memref(n, dynamicN, k, dynamicK) : memref(k, dynamicK, n, dynamicN);
  }
  std::string typeOfC() const { return memref(m, dynamicM, n, dynamicN); }

  std::string function(const std::string &name) const {
    std::string a = typeOfA(), b = typeOfB(), c = typeOfC();
    std::string maps = std::string("affine_map<(m, n, k) -> ") + (transposeA ? "(k, m)" : "(m, k)") +
                       ">, affine_map<(m, n, k) -> " + (transposeB ? "(n, k)" : "(k, n)") +
                       ">, affine_map<(m, n, k) -> (m, n)>";
    return "func.func @" + name + "(%a: " + a + ", %b: " + b + ", %c: " + c +
           ") attributes {llvm.emit_c_interface} {\n  linalg.matmul indexing_maps = [" + maps + "] " +
           std::string(overwrite ? "{tower.overwrite" + std::string(bf16 ? ", tower.bf16}" : "}")
                       : bf16    ? "{tower.bf16}"
                                 : "") +
           " ins(%a, %b : " + a + ", " + b + ") outs(%c : " + c + ")\n  return\n}\n";
  }

  std::string text() const {
    return std::string(transposeA ? "T" : "N") + (transposeB ? "T" : "N") + " M=" + std::to_string(m) +
           " N=" + std::to_string(n) + " K=" + std::to_string(k) + (overwrite ? " overwrite" : " accumulate") +
           (dynamicM ? " ?M" : "") + (dynamicN ? " ?N" : "") + (dynamicK ? " ?K" : "") + (bf16 ? " bf16" : "") +
           (gap ? " gap " + std::to_string(gap) : "") + (dynamicLayout ? " dynamic layout" : "");
  }
};

/// Which parts an epilogue has.
struct Parts {
  bool bias = false, relu = false, gate = false;
};

/// With 8 significant bits, from a tie to the even one.
float roundedToBf16(float x) {
  int exponent;
  float fraction = std::frexp(x, &exponent);
  return std::ldexp(std::nearbyint(std::ldexp(fraction, 8)), exponent - 8);
}

/// Runs one case; false if a single bit differs, or a sum is further off than `allowed` for each of its terms. With
/// parts, the function has operands %bias and %gate as well.
bool agrees(const Jit &jit, const std::string &name, const Case &c, std::mt19937 &random, const Parts *parts = nullptr,
            float allowed = 0) {
  Guarded a(c.transposeA ? c.k : c.m, c.transposeA ? c.m : c.k, (c.transposeA ? c.m : c.k) + c.gap);
  Guarded b(c.transposeB ? c.n : c.k, c.transposeB ? c.k : c.n, (c.transposeB ? c.k : c.n) + c.gap);
  Guarded result(c.m, c.n, c.n + c.gap), wanted(c.m, c.n, c.n + c.gap);
  Guarded bias(1, c.n, c.n), gate(c.m, c.n, c.n + c.gap);
  for (Guarded *operand : {&a, &b, &result, &bias, &gate})
    operand->fill(random);
  std::memcpy(wanted.data, result.data, static_cast<size_t>(result.size()) * sizeof(float));
  auto rounded = [&](float x) { return c.bf16 ? roundedToBf16(x) : x; };
  for (int64_t i = 0; i < c.m; ++i)
    for (int64_t j = 0; j < c.n; ++j) {
      float sum = c.overwrite ? 0.0f : wanted.at(i, j);
      for (int64_t k = 0; k < c.k; ++k)
        sum = std::fma(rounded(c.transposeA ? a.at(k, i) : a.at(i, k)), rounded(c.transposeB ? b.at(j, k) : b.at(k, j)),
                       sum);
      if (parts && parts->bias)
        sum += bias.at(0, j);
      if (parts && parts->relu)
        sum = sum < 0 ? 0 : sum;
      if (parts && parts->gate)
        sum = gate.at(i, j) > 0 ? sum : 0;
      wanted.at(i, j) = sum;
    }
  auto da = a.descriptor(), db = b.descriptor(), dc = result.descriptor(), dg = gate.descriptor();
  auto dbias = memRef(bias.data, c.n);
  if (parts)
    jit.call(name, da, db, dc, dbias, dg);
  else
    jit.call(name, da, db, dc);
  if (allowed > 0) {
    for (int64_t i = 0; i < result.size(); ++i)
      if (!(std::abs(result.data[i] - wanted.data[i]) <= allowed * static_cast<float>(c.k)))
        return false;
    return true;
  }
  // Also what is between the rows of C must be as it was.
  return std::memcmp(wanted.data, result.data, static_cast<size_t>(result.size()) * sizeof(float)) == 0;
}

/// `options` of tower-lower-products.
void check(const std::vector<Case> &cases, const std::string &options) {
  std::string source;
  for (size_t i = 0; i < cases.size(); ++i)
    source += cases[i].function("f" + std::to_string(i));
  auto jit = Jit::compile(source, "tower-lower-products{" + options + "}");
  ASSERT_NE(jit, nullptr);
  std::mt19937 random(7);
  for (size_t i = 0; i < cases.size(); ++i)
    EXPECT_TRUE(agrees(*jit, "f" + std::to_string(i), cases[i], random)) << cases[i].text();
}

/// Random cases with extents of up to `limit`.
std::vector<Case> randomCases(int count, int64_t limit, bool dynamic) {
  std::mt19937 random(3);
  auto upTo = [&](int64_t most) { return std::uniform_int_distribution<int64_t>(1, most)(random); };
  auto coin = [&] { return (random() & 4096) != 0; };
  std::vector<Case> cases;
  for (int i = 0; i < count; ++i) {
    Case c{upTo(limit), upTo(limit), upTo(limit)};
    c.transposeA = i & 1;
    c.transposeB = i & 2;
    c.overwrite = coin();
    c.gap = coin() ? upTo(9) : 0;
    if (dynamic) {
      c.dynamicM = coin();
      c.dynamicN = coin();
      c.dynamicK = coin();
      c.dynamicLayout = coin();
    }
    cases.push_back(c);
  }
  return cases;
}

/// Sizes around those of tiles, vectors and blocks.
std::vector<Case> edgeCases() {
  std::vector<Case> cases;
  for (int form = 0; form < 4; ++form)
    for (auto [m, n, k] : std::vector<std::array<int64_t, 3>>{{1, 1, 1},
                                                              {1, 70, 33},
                                                              {12, 32, 4},
                                                              {13, 33, 5},
                                                              {25, 16, 16},
                                                              {24, 17, 512},
                                                              {97, 31, 3},
                                                              {7, 64, 515},
                                                              {36, 48, 1030}})
      for (bool overwrite : {false, true})
        cases.push_back(Case{m, n, k, (form & 1) != 0, (form & 2) != 0, overwrite});
  return cases;
}

/// B does not fit what is packed at a time.
std::vector<Case> longCases() {
  return {Case{13, 40, 9000, false, false, true, false, false, true},
          Case{26, 30, 8200, true, true, false, false, false, true}, Case{30, 8300, 40, false, true, true, false, true},
          Case{2, 3001, 1500, false, true, true}};
}

/// Products large enough for pieces.
std::vector<Case> largeCases() {
  return {Case{256, 130, 344, false, false, true},
          Case{344, 130, 256, true, false, false},
          Case{250, 344, 128, false, true, true},
          Case{200, 600, 64, false, false, true, true},
          Case{600, 200, 64, false, false, true, false, true},
          Case{150, 96, 700, true, false, true, false, false, true},
          Case{300, 257, 130, true, true, false, true, true, true, 3, true}};
}

struct CaseWithEpilogue {
  Case product;
  Parts parts;
};

/// Functions f0, f1, ... that buildProduct makes, with epilogues.
std::string builtProducts(const std::vector<CaseWithEpilogue> &cases) {
  mlir::MLIRContext context;
  context.loadDialect<mlir::func::FuncDialect, mlir::linalg::LinalgDialect, mlir::memref::MemRefDialect,
                      mlir::arith::ArithDialect, tower::TowerDialect>();
  mlir::OpBuilder builder(&context);
  mlir::Location loc = builder.getUnknownLoc();
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(builder, loc);
  for (auto [i, withEpilogue] : llvm::enumerate(cases)) {
    const auto &[c, parts] = withEpilogue;
    mlir::Type a = mlir::parseType(c.typeOfA(), &context), b = mlir::parseType(c.typeOfB(), &context),
               whole = mlir::parseType(c.typeOfC(), &context),
               bias = mlir::MemRefType::get({c.dynamicN ? mlir::ShapedType::kDynamic : c.n}, builder.getF32Type());
    builder.setInsertionPointToEnd(module->getBody());
    auto function = mlir::func::FuncOp::create(builder, loc, "f" + std::to_string(i),
                                               builder.getFunctionType({a, b, whole, bias, whole}, {}));
    function->setAttr("llvm.emit_c_interface", builder.getUnitAttr());
    builder.setInsertionPointToStart(function.addEntryBlock());
    auto argument = [&](int number) -> mlir::Value { return function.getArgument(number); };
    tower::Epilogue epilogue;
    if (parts.bias)
      epilogue.bias = argument(3);
    epilogue.relu = parts.relu;
    if (parts.gate)
      epilogue.gate = argument(4);
    tower::buildProduct(builder, loc, argument(0), c.transposeA, argument(1), c.transposeB, argument(2), !c.overwrite,
                        epilogue);
    mlir::func::ReturnOp::create(builder, loc);
  }
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream);
  return text;
}

class Products : public testing::TestWithParam<const char *> {};

TEST_P(Products, EdgesAgreeWithPlainLoops) { check(edgeCases(), GetParam()); }
TEST_P(Products, RandomShapesAgreeWithPlainLoops) { check(randomCases(96, 70, false), GetParam()); }
TEST_P(Products, DynamicShapesAgreeWithPlainLoops) { check(randomCases(48, 70, true), GetParam()); }
TEST_P(Products, PiecesAgreeWithPlainLoops) { check(largeCases(), GetParam()); }
TEST_P(Products, PartsOfBAgreeWithPlainLoops) { check(longCases(), GetParam()); }

TEST_P(Products, EpiloguesAgreeWithPlainLoops) {
  std::vector<CaseWithEpilogue> cases;
  for (const Case &c : {Case{26, 37, 700, false, false, true}, Case{250, 130, 64, false, true, false},
                        Case{14, 50, 20, true, false, true, true, true, true, 3, true}})
    for (Parts parts : {Parts{}, Parts{true, false, false}, Parts{true, true, false}, Parts{false, false, true},
                        Parts{true, true, true}})
      cases.push_back({c, parts});
  auto jit = Jit::compile(builtProducts(cases), "tower-lower-products{" + std::string(GetParam()) + "}");
  ASSERT_NE(jit, nullptr);
  std::mt19937 random(11);
  for (size_t i = 0; i < cases.size(); ++i) {
    const auto &[c, parts] = cases[i];
    EXPECT_TRUE(agrees(*jit, "f" + std::to_string(i), c, random, &parts))
        << c.text() << (parts.bias ? " bias" : "") << (parts.relu ? " relu" : "") << (parts.gate ? " gate" : "");
  }
}

INSTANTIATE_TEST_SUITE_P(Options, Products,
                         testing::Values("vector-width=8", "vector-width=16", "vector-width=16 copy-transposed"));

/// Products of bf16: by kernels for f32 of 8 or 16 lanes, and where this processor has it by its own instruction.
struct Bf16Way {
  int lanes;
  bool dot;
};

std::vector<Bf16Way> bf16Ways() {
  std::vector<Bf16Way> ways = {{8, false}, {16, false}};
  if (__builtin_cpu_supports("avx512bf16"))
    ways.push_back({16, true});
  return ways;
}

class ProductsOfBf16 : public testing::TestWithParam<Bf16Way> {};

TEST_P(ProductsOfBf16, AgreeWithPlainLoopsOverRoundedOperands) {
  std::vector<Case> cases = edgeCases();
  for (const auto &more : {randomCases(48, 70, false), randomCases(48, 70, true), largeCases()})
    cases.insert(cases.end(), more.begin(), more.end());
  auto [lanes, dot] = GetParam();
  std::string source;
  for (size_t i = 0; i < cases.size(); ++i) {
    cases[i].bf16 = true;
    source += cases[i].function("f" + std::to_string(i));
  }
  auto jit = Jit::compile(source, "tower-lower-products{vector-width=" + std::to_string(lanes) +
                                      (dot ? " dot-bf16=true}" : "}"));
  ASSERT_NE(jit, nullptr);
  std::mt19937 random(7);
  // The instruction adds the two products of a word in an order of its own.
  for (size_t i = 0; i < cases.size(); ++i)
    EXPECT_TRUE(agrees(*jit, "f" + std::to_string(i), cases[i], random, nullptr, dot ? 1e-6f : 0)) << cases[i].text();
}

TEST_P(ProductsOfBf16, WhatIsNotANumberStaysSo) {
  Case c{3, 5, 7};
  c.bf16 = true;
  auto [lanes, dot] = GetParam();
  auto jit = Jit::compile(c.function("f"), "tower-lower-products{vector-width=" + std::to_string(lanes) +
                                               (dot ? " dot-bf16=true}" : "}"));
  ASSERT_NE(jit, nullptr);
  Guarded a(3, 7, 7), b(7, 5, 5), result(3, 5, 5);
  std::mt19937 random(1);
  a.fill(random);
  b.fill(random);
  // All ones: one more in the last kept bit would make it 0.
  uint32_t ones = 0x7fffffff;
  std::memcpy(&a.at(1, 6), &ones, sizeof ones);
  auto da = a.descriptor(), db = b.descriptor(), dc = result.descriptor();
  jit->call("f", da, db, dc);
  for (int64_t i = 0; i < 3; ++i)
    for (int64_t j = 0; j < 5; ++j)
      EXPECT_EQ(std::isnan(result.at(i, j)), i == 1);
}

INSTANTIATE_TEST_SUITE_P(Ways, ProductsOfBf16, testing::ValuesIn(bf16Ways()));

TEST(ProductsWithoutK, AnEmptySumOverwritesWithZero) {
  Case c{20, 40, 1, false, false, true, true, true, true};
  auto jit = Jit::compile(c.function("f"), "tower-lower-products");
  ASSERT_NE(jit, nullptr);
  Guarded a(20, 1, 1), b(1, 40, 40), result(20, 40, 40);
  std::mt19937 random(1);
  result.fill(random);
  auto da = a.descriptor(), db = b.descriptor(), dc = result.descriptor();
  da.sizes[1] = db.sizes[0] = 0;
  jit->call("f", da, db, dc);
  for (int64_t i = 0; i < result.size(); ++i)
    EXPECT_EQ(result.data[i], 0.0f);
}

TEST(ProductsInPieces, AProductInsideParallelWorkAgrees) {
  std::string source = R"(
    func.func @f(%a: memref<40x700xf32>, %b: memref<700x90xf32>, %c: memref<40x90xf32>)
        attributes {llvm.emit_c_interface} {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c4 = arith.constant 4 : index
      %c10 = arith.constant 10 : index
      scf.parallel (%p) = (%c0) to (%c4) step (%c1) {
        %row = arith.muli %p, %c10 : index
        %x = memref.subview %a[%row, 0] [10, 700] [1, 1] : memref<40x700xf32> to memref<10x700xf32, strided<[700, 1], offset: ?>>
        %y = memref.subview %c[%row, 0] [10, 90] [1, 1] : memref<40x90xf32> to memref<10x90xf32, strided<[90, 1], offset: ?>>
        scf.for %i = %c0 to %c1 step %c1 {
          linalg.matmul {tower.overwrite} ins(%x, %b : memref<10x700xf32, strided<[700, 1], offset: ?>>, memref<700x90xf32>)
                                          outs(%y : memref<10x90xf32, strided<[90, 1], offset: ?>>)
        }
      }
      return
    })";
  auto jit = Jit::compile(source, "tower-lower-products");
  ASSERT_NE(jit, nullptr);
  std::mt19937 random(5);
  EXPECT_TRUE(agrees(*jit, "f", Case{40, 90, 700}, random));
}

TEST(ProductsThatDecline, AreStillRight) {
  // A column of a wider matrix: its inner stride is not 1.
  std::string source = R"(
    func.func @f(%a: memref<2x3xf32, strided<[6, 2]>>, %b: memref<3x2xf32>, %c: memref<2x2xf32>)
        attributes {llvm.emit_c_interface} {
      linalg.matmul {tower.overwrite} ins(%a, %b : memref<2x3xf32, strided<[6, 2]>>, memref<3x2xf32>) outs(%c : memref<2x2xf32>)
      return
    })";
  auto jit = Jit::compile(source, "tower-lower-products");
  ASSERT_NE(jit, nullptr);
  float a[] = {1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0}, b[] = {1, 2, 3, 4, 5, 6}, c[] = {9, 9, 9, 9};
  MemRef<float, 2> da{a, a, 0, {2, 3}, {6, 2}};
  auto db = memRef(b, 3, 2, 2), dc = memRef(c, 2, 2, 2);
  jit->call("f", da, db, dc);
  EXPECT_EQ(std::vector<float>(c, c + 4), (std::vector<float>{22, 28, 49, 64}));
}

} // namespace
