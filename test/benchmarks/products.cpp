// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Generated products against OpenBLAS on one thread, for the shapes of the Debian model and larger ones.
// Usage: products-benchmark [repeats [lanes [filter]]]. Prints one line a product: the median of the ratio of times of
// neighbouring runs and its quartiles, then GFLOP/s of both.
#include "test/unit/Jit.h"
#include <algorithm>
#include <cblas.h>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <random>
#include <unistd.h>

using namespace tower::test;

extern "C" char *openblas_get_corename(void);

namespace {

struct Shape {
  const char *form, *what;
  int64_t m, n, k;
};

constexpr Shape kShapes[] = {
    {"NN", "layer 1", 1024, 512, 344},   {"TN", "layer 1, dW", 344, 512, 1024}, {"NT", "layer 1, dX", 1024, 344, 512},
    {"NN", "layer 2", 1024, 128, 512},   {"TN", "layer 2, dW", 512, 128, 1024}, {"NT", "layer 2, dX", 1024, 512, 128},
    {"NT", "S = Q X^T", 256, 1024, 128}, {"NN", "dQ = P X", 256, 128, 1024},    {"TN", "dX = P^T Q", 1024, 128, 256},
    {"NN", "large", 2048, 1024, 1024},   {"TN", "large", 1024, 1024, 2048},     {"NT", "large", 2048, 1024, 1024},
    {"NN", "odd", 1021, 509, 347},       {"TN", "odd", 347, 509, 1021},         {"NT", "odd", 1021, 347, 509},
};

double now() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

/// A matrix product as IR.
std::string source(const Shape &s) {
  bool ta = s.form[0] == 'T', tb = s.form[1] == 'T';
  auto type = [](int64_t rows, int64_t columns) {
    return "memref<" + std::to_string(rows) + "x" + std::to_string(columns) + "xf32>";
  };
  std::string a = ta ? type(s.k, s.m) : type(s.m, s.k), b = tb ? type(s.n, s.k) : type(s.k, s.n), c = type(s.m, s.n);
  return "func.func @f(%a: " + a + ", %b: " + b + ", %c: " + c +
         ") attributes {llvm.emit_c_interface} {\n  linalg.matmul indexing_maps = [affine_map<(m, n, k) -> " +
         (ta ? "(k, m)" : "(m, k)") + ">, affine_map<(m, n, k) -> " + (tb ? "(n, k)" : "(k, n)") +
         ">, affine_map<(m, n, k) -> (m, n)>] {tower.overwrite} ins(%a, %b : " + a + ", " + b + ") outs(%c : " + c +
         ")\n  return\n}\n";
}

std::vector<float> randomMatrix(int64_t size, std::mt19937 &random) {
  std::uniform_real_distribution<float> distribution(-0.5f, 0.5f);
  std::vector<float> data(static_cast<size_t>(size));
  std::generate(data.begin(), data.end(), [&] { return distribution(random); });
  return data;
}

void measure(const Shape &s, int repeats, int lanes) {
  bool ta = s.form[0] == 'T', tb = s.form[1] == 'T';
  auto start = std::chrono::steady_clock::now();
  auto jit = Jit::compile(source(s), "tower-lower-products{vector-width=" + std::to_string(lanes) + "}");
  if (!jit)
    std::exit(1);
  jit->address("_mlir_ciface_f");
  double compile = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::mt19937 random(1);
  std::vector<float> a = randomMatrix(s.m * s.k, random), b = randomMatrix(s.k * s.n, random),
                     c = randomMatrix(s.m * s.n, random), d = c;
  auto da = ta ? memRef(a.data(), s.k, s.m, s.m) : memRef(a.data(), s.m, s.k, s.k);
  auto db = tb ? memRef(b.data(), s.n, s.k, s.k) : memRef(b.data(), s.k, s.n, s.n);
  auto dc = memRef(c.data(), s.m, s.n, s.n);
  auto ours = [&] { jit->call("f", da, db, dc); };
  auto theirs = [&] {
    cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, static_cast<int>(s.m),
                static_cast<int>(s.n), static_cast<int>(s.k), 1.0f, a.data(), static_cast<int>(ta ? s.m : s.k),
                b.data(), static_cast<int>(tb ? s.k : s.n), 0.0f, d.data(), static_cast<int>(s.n));
  };
  auto time = [](auto &f) {
    double from = now();
    f();
    return now() - from;
  };
  for (int i = 0; i < 3; ++i) {
    ours();
    theirs();
  }
  std::vector<double> ratios, mine, other;
  for (int i = 0; i < repeats; ++i) {
    // Whoever runs second finds a warmer machine: take turns.
    double x = 0, y = 0;
    if (i % 2) {
      x = time(ours);
      y = time(theirs);
    } else {
      y = time(theirs);
      x = time(ours);
    }
    ratios.push_back(y / x);
    mine.push_back(x);
    other.push_back(y);
  }
  for (auto *times : {&ratios, &mine, &other})
    std::sort(times->begin(), times->end());
  double flops = 2e-9 * static_cast<double>(s.m * s.n * s.k);
  size_t middle = ratios.size() / 2;
  std::printf(
      "%s %5ld x %5ld x %5ld  %-12s ratio %.3f [%.3f .. %.3f]  generated %6.1f  OpenBLAS %6.1f GFLOP/s  (compiled "
      "in %.2f s)\n",
      s.form, s.m, s.n, s.k, s.what, ratios[middle], ratios[ratios.size() / 4], ratios[3 * ratios.size() / 4],
      flops / mine[middle], flops / other[middle], compile);
  std::fflush(stdout);
}

} // namespace

int main(int argc, char **argv) {
  // The peer reads these when it is loaded; its own choice is to be measured.
  if (getenv("OPENBLAS_CORETYPE") || getenv("OPENBLAS_L2_SIZE")) {
    unsetenv("OPENBLAS_CORETYPE");
    unsetenv("OPENBLAS_L2_SIZE");
    execv("/proc/self/exe", argv);
  }
  int repeats = argc > 1 ? std::atoi(argv[1]) : 41;
  int lanes = argc > 2 ? std::atoi(argv[2]) : (__builtin_cpu_supports("avx512f") ? 16 : 8);
  std::string filter = argc > 3 ? argv[3] : "";
  std::printf("OpenBLAS kernel: %s; %d lanes; M x N x K\n", openblas_get_corename(), lanes);
  for (const Shape &shape : kShapes)
    if ((std::string(shape.form) + " " + shape.what).find(filter) != std::string::npos)
      measure(shape, repeats, lanes);
}
