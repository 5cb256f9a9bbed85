// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Generated products against OpenBLAS on one thread, or on two threads against one, in the shapes of the Debian model
// (D) and of one of the paper's size (P): each layer and the in-batch softmax, forward and both gradients.
//
// Usage: products-benchmark [--cpu=NAME] [--peer=KERNEL] [--bf16] [--two-threads] [--repeats=N] [FILTER]
// --cpu is that of towerc; --bf16 rounds our operands, not OpenBLAS's; --peer makes OpenBLAS use a kernel other than it
// chooses (OPENBLAS_CORETYPE). Prints a line for each product whose form and name contain FILTER: the median of the
// ratio of times of neighbouring runs and its quartiles, then GFLOP/s of both; at the end the least ratio and the mean.
// With --two-threads also the machine's own limit: what two threads are of one that each compute a product of their
// own.
#include "runtime/Memory.h"
#include "test/benchmarks/CompiledProduct.h"

#include <algorithm>
#include <cblas.h>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <random>
#include <unistd.h>

using namespace tower;
using namespace tower::benchmark;

extern "C" char *openblas_get_corename(void);
extern "C" void openblas_set_num_threads(int);

namespace {

constexpr Shape kShapes[] = {
    {"NN", "D layer 1", 1024, 512, 281},
    {"TN", "D layer 1, dW", 281, 512, 1024},
    {"NT", "D layer 1, dX", 1024, 281, 512},
    {"NN", "D layer 2", 1024, 128, 512},
    {"TN", "D layer 2, dW", 512, 128, 1024},
    {"NT", "D layer 2, dX", 1024, 512, 128},
    {"NN", "D layer 2, views", 2048, 128, 512},
    {"TN", "D layer 2, views, dW", 512, 128, 2048},
    {"NT", "D layer 2, views, dX", 2048, 512, 128},
    {"NN", "P layer 1", 1024, 1024, 324},
    {"TN", "P layer 1, dW", 324, 1024, 1024},
    {"NT", "P layer 1, dX", 1024, 324, 1024},
    {"NN", "P layer 1, query", 1024, 1024, 260},
    {"TN", "P layer 1, query, dW", 260, 1024, 1024},
    {"NT", "P layer 1, query, dX", 1024, 260, 1024},
    {"NN", "P layer 2", 1024, 128, 1024},
    {"TN", "P layer 2, dW", 1024, 128, 1024},
    {"NT", "P layer 2, dX", 1024, 1024, 128},
    {"NN", "P layer 2, views", 2048, 128, 1024},
    {"TN", "P layer 2, views, dW", 1024, 128, 2048},
    {"NT", "P layer 2, views, dX", 2048, 1024, 128},
    {"NT", "softmax, S", 256, 1024, 128},
    {"NN", "softmax, dQ", 256, 128, 1024},
    {"TN", "softmax, dX", 1024, 128, 256},
    {"NN", "large", 2048, 1024, 1024},
    {"TN", "large", 1024, 1024, 2048},
    {"NT", "large", 2048, 1024, 1024},
};

struct Options {
  std::string cpu = "native", peer, filter;
  bool twoThreads = false, bf16 = false;
  int repeats = 41;
};

double now(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

rt::Memory randomMatrix(int64_t size, std::mt19937 &random) {
  std::uniform_real_distribution<float> distribution(-0.5f, 0.5f);
  rt::Memory memory(static_cast<size_t>(size) * sizeof(float));
  std::generate_n(static_cast<float *>(memory.data()), size, [&] { return distribution(random); });
  return memory;
}

/// What two ways of doing the same took, each time they ran one after the other; sorted.
struct Times {
  std::vector<double> ratios, ours, theirs;
};

Times compare(clockid_t clock, int repeats, const std::function<void()> &ours, const std::function<void()> &theirs) {
  auto time = [&](const std::function<void()> &f) {
    double from = now(clock);
    f();
    return now(clock) - from;
  };
  for (int i = 0; i < 3; ++i) {
    ours();
    theirs();
  }
  Times times;
  for (int i = 0; i < repeats; ++i) {
    // Whoever runs second finds a warmer machine: take turns.
    double y = i % 2 ? 0 : time(theirs), x = time(ours);
    if (i % 2)
      y = time(theirs);
    times.ratios.push_back(y / x);
    times.ours.push_back(x);
    times.theirs.push_back(y);
  }
  for (auto *each : {&times.ratios, &times.ours, &times.theirs})
    std::sort(each->begin(), each->end());
  return times;
}

/// How much two threads do in the time of one where they share nothing but the machine: each has a product of its own.
double limitOfTwo(const Shape &s, const Options &options, const TargetDescription &target, rt::Pool &two) {
  rt::Pool pools[2] = {rt::Pool(1), rt::Pool(1)};
  CompiledProduct products[2] = {{s, target, options.bf16}, {s, target, options.bf16}};
  std::mt19937 random(1);
  rt::Memory a[2], b[2], c[2];
  for (int i = 0; i < 2; ++i) {
    a[i] = randomMatrix(s.m * s.k, random);
    b[i] = randomMatrix(s.k * s.n, random);
    c[i] = randomMatrix(s.m * s.n, random);
  }
  auto one = [&](int64_t i) {
    products[i].run(static_cast<float *>(a[i].data()), static_cast<float *>(b[i].data()),
                    static_cast<float *>(c[i].data()), pools[i]);
  };
  Times times = compare(
      CLOCK_MONOTONIC, options.repeats, [&] { rt::parallel(two, 2, one); }, [&] { one(0); });
  return 2 * times.ratios[times.ratios.size() / 2];
}

/// Prints the line of a product and returns the ratio.
double measure(const Shape &s, const Options &options, const TargetDescription &target, rt::Pool &one, rt::Pool &two) {
  auto start = std::chrono::steady_clock::now();
  CompiledProduct product(s, target, options.bf16);
  double compile = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::mt19937 random(1);
  rt::Memory memory[] = {randomMatrix(s.m * s.k, random), randomMatrix(s.k * s.n, random),
                         randomMatrix(s.m * s.n, random), randomMatrix(s.m * s.n, random)};
  auto at = [&](int i) { return static_cast<float *>(memory[i].data()); };
  bool ta = s.form[0] == 'T', tb = s.form[1] == 'T';
  auto blas = [&] {
    cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, static_cast<int>(s.m),
                static_cast<int>(s.n), static_cast<int>(s.k), 1.0f, at(0), static_cast<int>(ta ? s.m : s.k), at(1),
                static_cast<int>(tb ? s.k : s.n), 0.0f, at(3), static_cast<int>(s.n));
  };
  product.run(at(0), at(1), at(2), two);
  blas();
  for (int64_t i = 0; i < s.m * s.n; ++i)
    if (!(std::abs(at(2)[i] - at(3)[i]) <= (options.bf16 ? 0.1f : 1e-3f))) {
      std::fprintf(stderr, "error: %s %s: element %ld is %g, OpenBLAS says %g\n", s.form, s.what, i, at(2)[i],
                   at(3)[i]);
      std::exit(1);
    }
  auto generated = [&](rt::Pool &pool) { return [&] { product.run(at(0), at(1), at(2), pool); }; };
  Times times = options.twoThreads ? compare(CLOCK_MONOTONIC, options.repeats, generated(two), generated(one))
                                   : compare(CLOCK_THREAD_CPUTIME_ID, options.repeats, generated(one), blas);
  double flops = 2e-9 * static_cast<double>(s.m * s.n * s.k);
  size_t middle = times.ratios.size() / 2;
  std::printf(
      "%s %5ld x %5ld x %5ld  %-21s ratio %.3f [%.3f .. %.3f]  %6.1f against %6.1f GFLOP/s  (compiled in %.2f s)\n",
      s.form, s.m, s.n, s.k, s.what, times.ratios[middle], times.ratios[times.ratios.size() / 4],
      times.ratios[3 * times.ratios.size() / 4], flops / times.ours[middle], flops / times.theirs[middle], compile);
  if (options.twoThreads)
    std::printf("%45s limit %.3f\n", "", limitOfTwo(s, options, target, two));
  std::fflush(stdout);
  return times.ratios[middle];
}

Options parse(int argc, char **argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i], name = argument.substr(0, argument.find('='));
    std::string value = argument.size() > name.size() ? argument.substr(name.size() + 1) : "";
    if (name == "--cpu")
      options.cpu = value;
    else if (name == "--peer")
      options.peer = value;
    else if (name == "--repeats")
      options.repeats = std::max(1, std::atoi(value.c_str()));
    else if (name == "--bf16")
      options.bf16 = true;
    else if (name == "--two-threads")
      options.twoThreads = true;
    else
      options.filter = argument;
  }
  return options;
}

/// OpenBLAS reads its variables when it is loaded.
void makePeer(const std::string &kernel, char **argv) {
  const char *set = getenv("OPENBLAS_CORETYPE");
  if (kernel == (set ? set : "") && !getenv("OPENBLAS_L2_SIZE"))
    return;
  unsetenv("OPENBLAS_L2_SIZE");
  kernel.empty() ? unsetenv("OPENBLAS_CORETYPE") : setenv("OPENBLAS_CORETYPE", kernel.c_str(), 1);
  execv("/proc/self/exe", argv);
}

} // namespace

int main(int argc, char **argv) {
  Options options = parse(argc, argv);
  makePeer(options.peer, argv);
  openblas_set_num_threads(1);
  auto targets = describeTargets(options.cpu, llvm::errs());
  if (failed(targets))
    return 1;
  if (options.twoThreads)
    std::printf("%s, two threads against one; M x N x K\n", targets->front().cpu.c_str());
  else
    std::printf("%s against OpenBLAS's %s; M x N x K\n", targets->front().cpu.c_str(), openblas_get_corename());
  rt::Pool one(1), two(2);
  std::vector<double> ratios;
  for (const Shape &shape : kShapes)
    if ((std::string(shape.form) + " " + shape.what).find(options.filter) != std::string::npos)
      ratios.push_back(measure(shape, options, targets->front(), one, two));
  double logarithms = 0;
  for (double ratio : ratios)
    logarithms += std::log(ratio);
  if (!ratios.empty())
    std::printf("least %.3f, geometric mean %.3f\n", *std::min_element(ratios.begin(), ratios.end()),
                std::exp(logarithms / static_cast<double>(ratios.size())));
}
