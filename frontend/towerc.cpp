// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// towerc: the command line.

#include "frontend/DataMain.h"
#include "frontend/Driver.h"
#include "frontend/Version.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace cl = llvm::cl;
using tower::Stage;
using tower::Target;

static cl::OptionCategory category("towerc");

/// Bytes of "512MiB", "1.5GB" or "4096"; nothing if it is no such size, or none at all.
static std::optional<int64_t> parseSize(llvm::StringRef text) {
  double scale = 1, number = 0;
  const std::pair<const char *, double> units[] = {
      {"KiB", 1024.0}, {"MiB", 1024.0 * 1024}, {"GiB", 1024.0 * 1024 * 1024}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}};
  for (auto [unit, bytes] : units)
    if (text.consume_back(unit))
      scale = bytes;
  if (text.getAsDouble(number) || !(number * scale >= 1 && number * scale < 9e18))
    return std::nullopt;
  return static_cast<int64_t>(number * scale);
}

static tower::DriverOptions parse(int argc, char **argv) {
  cl::opt<std::string> spec(cl::Positional, cl::Required, cl::desc("model.txtpb"), cl::cat(category));
  cl::opt<std::string> data("data", cl::desc("Dataset that sizes are taken from"), cl::value_desc("folder"),
                            cl::cat(category));
  cl::opt<std::string> output("o", cl::desc("Output (default: the model's name, or standard output for text)"),
                              cl::value_desc("file"), cl::cat(category));
  cl::list<std::string> set("set", cl::desc("Override a field of the spec, as in losses[ssl].weight=0.3"),
                            cl::value_desc("field=value"), cl::cat(category));
  cl::opt<Stage> emit(
      "emit", cl::desc("What to make:"), cl::init(Stage::Executable), cl::cat(category),
      cl::values(clEnumValN(Stage::Model, "model", "the declared model"),
                 clEnumValN(Stage::Dataflow, "dataflow", "the training step and the inference functions"),
                 clEnumValN(Stage::Gradient, "gradient", "the same with the backward pass written out"),
                 clEnumValN(Stage::Fused, "fused", "the same after the optimizations"),
                 clEnumValN(Stage::Linalg, "linalg", "loops and linalg over memory"),
                 clEnumValN(Stage::Planned, "planned", "the same with every buffer in the arena"),
                 clEnumValN(Stage::Llvm, "llvm", "LLVM IR"), clEnumValN(Stage::Asm, "asm", "assembly"),
                 clEnumValN(Stage::Gpu, "gpu", "kernels of a GPU and the program that launches them"),
                 clEnumValN(Stage::Nvvm, "nvvm", "the kernels in the NVVM dialect"),
                 clEnumValN(Stage::Ptx, "ptx", "the kernels as PTX"),
                 clEnumValN(Stage::Cubin, "cubin", "the kernels for an H100, by ptxas"),
                 clEnumValN(Stage::Object, "obj", "an object file"),
                 clEnumValN(Stage::Library, "lib", "a shared library, see runtime/tower.h"),
                 clEnumValN(Stage::Executable, "exe", "an executable (default)")));
  cl::opt<Target> target("target", cl::desc("What to make code for:"), cl::init(Target::Cpu), cl::cat(category),
                         cl::values(clEnumValN(Target::Cpu, "cpu", "this kind of machine (default)"),
                                    clEnumValN(Target::Cuda, "cuda", "an NVIDIA GPU"),
                                    clEnumValN(Target::Both, "both", "both; chosen at start")));
  cl::opt<std::string> cpu("cpu",
                           cl::desc("Processor to compile for: native (default), x86-64-v3 (AVX2), x86-64-v4 "
                                    "(AVX-512), multi (both, chosen at start) or LLVM's name of one"),
                           cl::init("native"), cl::value_desc("name"), cl::cat(category));
  cl::list<std::string> disable("disable", cl::desc("Leave out an optimization, or several"), cl::value_desc("name"),
                                cl::CommaSeparated, cl::cat(category));
  cl::opt<std::string> budget("memory-budget",
                              cl::desc("Memory that a step's intermediates may take: what there is no room for is "
                                       "computed again in the backward pass (default: any amount)"),
                              cl::value_desc("512MiB"), cl::cat(category));
  cl::opt<bool> explain("explain", cl::desc("Print what each optimization decided, and why"), cl::cat(category));
  cl::opt<std::string> rates("rates",
                             cl::desc("With --explain: this machine's rate of products in GFLOP/s and its bandwidth in "
                                      "GB/s, to predict times; test/benchmarks/rates measures both"),
                             cl::value_desc("G,B"), cl::cat(category));
  cl::opt<bool> printPlan("print-plan", cl::desc("Print every buffer of the memory plan"), cl::cat(category));
  cl::opt<bool> timing("timing", cl::desc("Print the time of each phase"), cl::cat(category));
  mlir::registerAsmPrinterCLOptions();
  mlir::registerMLIRContextCLOptions();
  mlir::registerPassManagerCLOptions();
  cl::HideUnrelatedOptions(category);
  cl::SetVersionPrinter([](llvm::raw_ostream &os) { os << "towerc " << tower::version << "\n"; });
  std::string wrong;
  llvm::raw_string_ostream errors(wrong);
  if (!cl::ParseCommandLineOptions(argc, argv,
                                   "towerc compiles a two-tower recommender (docs/Spec.md) to one executable.\n"
                                   "See also: towerc data import --help, towerc data mi --help.\n",
                                   &errors)) {
    llvm::errs() << wrong;
    std::exit(2);
  }
  std::optional<int64_t> bytes = budget.empty() ? 0 : parseSize(budget);
  if (!bytes) {
    llvm::errs() << "towerc: --memory-budget: '" << budget
                 << "' is no size; write 512MiB, 1.5GB or a number of bytes\n";
    std::exit(2);
  }
  tower::DriverOptions options;
  char rest;
  if (!rates.empty() &&
      (std::sscanf(rates.c_str(), "%lf,%lf%c", &options.rates.first, &options.rates.second, &rest) != 2 ||
       !(options.rates.first > 0) || !(options.rates.second > 0) || !explain)) {
    llvm::errs() << "towerc: error: --rates=" << rates
                 << " is not two positive numbers for --explain: GFLOP/s and GB/s, as in --explain --rates=170,30\n";
    std::exit(2);
  }
  options.spec = spec;
  options.data = data;
  options.overrides.assign(set.begin(), set.end());
  options.output = output;
  options.stage = emit;
  options.target = target;
  options.cpu = cpu;
  options.disabled.assign(disable.begin(), disable.end());
  options.memoryBudget = *bytes;
  options.explain = explain;
  options.printPlan = printPlan;
  options.timing = timing;
  return options;
}

// The runtime lies in ../lib, in the build tree and where towerc is installed alike.
static std::string runtimeFolder(const char *argv0) {
  static int anchor;
  std::string self = llvm::sys::fs::getMainExecutable(argv0, &anchor);
  llvm::SmallString<128> folder(llvm::sys::path::parent_path(llvm::sys::path::parent_path(self)));
  llvm::sys::path::append(folder, "lib");
  return std::string(folder);
}

int main(int argc, char **argv) {
  if (argc > 1 && std::strcmp(argv[1], "data") == 0)
    return tower::dataMain(argc - 1, argv + 1);
  tower::DriverOptions options = parse(argc, argv);
  options.runtimeFolder = runtimeFolder(argv[0]);
  return llvm::failed(tower::compile(options)) ? 1 : 0;
}
