// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// tower-differential: takes generated models through the compiler and compares, at each stage, with the oracle. Prints
// what disagreed, with the command that repeats it, and how often everything occurred.
#include "mlir/Transforms/Passes.h"
#include "passes/Passes.h"
#include "passes/Pipelines.h"
#include "test/differential/Checks.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/TargetSelect.h"

#include <atomic>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <thread>
#include <unistd.h>

using namespace tower;
using namespace tower::differential;

namespace cl = llvm::cl;

static cl::opt<uint64_t> models("models", cl::init(200), cl::desc("How many models. Default: 200"));
static cl::opt<uint64_t> first("seed", cl::init(1), cl::desc("The first model's seed, the others follow. Default: 1"));
static cl::opt<unsigned> jobs("jobs", cl::init(2), cl::desc("Models at a time. Default: 2"));
static cl::opt<int> minimum("minimum", cl::init(10), cl::desc("Fail where something occurred less often. Default: 10"));
static cl::opt<std::string> keep("keep", cl::desc("Keep data, spec and IR of the models in this folder"));
static cl::opt<std::string> only("check", cl::desc("Only this check: adjoints, passes, compiled or kernels"));

namespace {

void saveText(const std::string &path, const std::string &text) {
  std::error_code error;
  llvm::raw_fd_ostream(path, error) << text;
}

class Run {
public:
  int run() {
    total.expectAll();
    std::vector<std::thread> threads;
    for (unsigned j = 0; j < jobs; ++j)
      threads.emplace_back([this] {
        for (uint64_t i = next++; i < models; i = next++)
          test(first + i);
      });
    for (std::thread &thread : threads)
      thread.join();
    int below = total.print(std::cout, minimum);
    std::cout << models << " models, " << failed << " failed, " << below << " rows below " << minimum << "\n";
    return failed || below ? 1 : 0;
  }

private:
  void test(uint64_t seed) {
    bool kept = !keep.empty();
    std::string folder = kept ? keep.getValue() : std::filesystem::temp_directory_path().string();
    folder += "/tower-differential-" + (kept ? "" : std::to_string(getpid()) + "-") + std::to_string(seed);
    Coverage coverage;
    Failures failures;
    {
      TestModel model(seed, folder, coverage, failures);
      if (model.gradient && (only.empty() || only == "adjoints"))
        checkAdjoints(model, coverage, failures);
      if (model.gradient && (only.empty() || only == "passes"))
        checkPasses(model, coverage, failures);
      // Machine code takes its time, a simulated device more: of each a part, with all remainders by 2, 3 and 4.
      if (model.gradient && (only.empty() ? seed % 5 < 3 : only == "compiled"))
        checkCompiled(model, coverage, failures);
      if (model.gradient && (only.empty() ? seed % 11 == 0 : only == "kernels"))
        checkKernels(model, coverage, failures);
      for (const Decision &decision : model.explanation.decisions())
        coverage.countDecision(decision.pass, decision.applied);
      if (kept && model.gradient) {
        std::string text;
        llvm::raw_string_ostream(text) << *model.gradient;
        saveText(folder + "/gradient.mlir", text);
        saveText(folder + "/model.txtpb", model.spec->source);
      }
    }
    if (!kept)
      std::filesystem::remove_all(folder);
    std::lock_guard guard(lock);
    total.merge(coverage);
    failed += !failures.empty();
    if (!failures.empty())
      std::cout << "model " << seed << " (tower-differential --models 1 --minimum 0 --seed " << seed << "):\n";
    for (const std::string &failure : failures)
      std::cout << "  " << failure << "\n";
    std::cout << std::flush;
  }

  std::atomic<uint64_t> next = 0;
  std::mutex lock; ///< Of what follows, and of the output.
  Coverage total;
  int failed = 0;
};

} // namespace

int main(int argc, char **argv) {
  cl::ParseCommandLineOptions(argc, argv, "Compares the compiler with the oracle on generated models\n");
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  mlir::registerTransformsPasses();
  registerTowerPasses();
  registerTowerPipelines();
  return Run().run();
}
