// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "mlir/Parser/Parser.h"
#include "test/differential/Checks.h"

#include <sstream>

using namespace mlir;
using namespace tower;
using namespace tower::differential;
using namespace tower::oracle;

namespace {

// Names, and the results by name.
void compare(const std::string &what, const std::map<std::string, Tensor> &before,
             const std::map<std::string, Tensor> &after, Failures &failures, double tolerance = 1e-9) {
  for (const auto &[name, expected] : before) {
    auto found = after.find(name);
    double away = 0, allowed = 0;
    if (found == after.end() || !agree(found->second.reals, expected.reals, tolerance, tolerance, &away, &allowed) ||
        found->second.integers != expected.integers) {
      std::ostringstream message;
      message << what << " changes " << name << ": " << away << " away, " << allowed << " allowed";
      failures.push_back(message.str());
    }
  }
}

class PassCheck {
public:
  PassCheck(TestModel &model, Coverage &coverage, Failures &failures)
      : model(model), coverage(coverage), failures(failures),
        inputs(model.at(model.dice.between(int64_t{0}, int64_t{15}), float(model.dice.between(0.1, 1.0)))) {
    std::vector<int64_t> rows;
    int64_t fewest =
        std::min(model.data->entity(model.data->queryEntity()).rows, model.data->entity(model.data->itemEntity()).rows);
    auto embed = model.gradient->lookupSymbol<func::FuncOp>("embed_items");
    int64_t count = 0;
    for (unsigned i = 0; i < embed.getNumArguments(); ++i)
      if (argumentKey(embed, i) == "rows")
        count = cast<RankedTensorType>(embed.getArgumentTypes()[i]).getDimSize(0);
    for (int64_t i = 0; i < count; ++i)
      rows.push_back(model.dice.between(int64_t{0}, fewest - 1));
    inputs["rows"] = Tensor::ofIntegers({count}, rows);
  }

  /// Results of all functions that have a body.
  std::map<std::string, Tensor> evaluateModule(ModuleOp module) {
    std::map<std::string, Tensor> all;
    for (const char *name : {"train_step", "embed_queries", "embed_items"}) {
      FailureOr<Results> results = evaluate(module.lookupSymbol<func::FuncOp>(name), inputs);
      if (failed(results)) {
        failures.push_back(std::string("@") + name + " cannot be evaluated: " + model.takeMessages());
        continue;
      }
      for (const auto &[result, value] : results->named)
        all[std::string(name) + "/" + result] = value;
      for (const auto &[parameter, value] : results->gradients)
        all[std::string("gradient/") + parameter] = value;
    }
    return all;
  }

  void run() {
    std::map<std::string, Tensor> before = evaluateModule(*model.gradient);
    differentiation(before);
    for (const char *pipeline :
         {"canonicalize", "cse", "canonicalize,cse", "tower-fuse-losses", "tower-skip-masked", "tower-fuse-epilogues",
          "tower-fuse-updates", "tower-recompute{budget=1}", "tower-fuse-phase"})
      check(*model.gradient, pipeline, before);
    for (const char *pipeline :
         {"tower-distinct-rows{always},tower-differentiate", "tower-batch-towers,tower-differentiate",
          "tower-project-vocabularies{always},tower-differentiate",
          "tower-distinct-rows{always},cse,tower-project-vocabularies{always},tower-differentiate,tower-fuse-phase",
          "tower-simplify-phase,tower-differentiate,tower-fuse-phase,tower-recompute{budget=1}"})
      check(*model.dataflow, pipeline, before);
    std::string text;
    llvm::raw_string_ostream stream(text);
    model.gradient->print(stream, OpPrintingFlags().enableDebugInfo());
    OwningOpRef<ModuleOp> parsed = parseSourceString<ModuleOp>(text, &model.context);
    if (!parsed)
      failures.push_back("what was printed cannot be parsed: " + model.takeMessages());
    else
      // An array of f32 is printed with six digits (weights of losses).
      compare("printing and parsing", before, evaluateModule(*parsed), failures, 2e-5);
  }

private:
  void check(ModuleOp module, StringRef pipeline, const std::map<std::string, Tensor> &before) {
    OwningOpRef<ModuleOp> copy = module.clone();
    if (!runPipeline(*copy, pipeline, coverage))
      return failures.push_back(pipeline.str() + " failed: " + model.takeMessages());
    coverage.countOps(*copy);
    compare(pipeline.str(), before, evaluateModule(*copy), failures);
  }

  // The backward pass must leave the forward one alone.
  void differentiation(const std::map<std::string, Tensor> &after) {
    func::FuncOp function = model.trainStep(*model.dataflow);
    std::map<std::string, Tensor> before;
    for (auto [i, value] : llvm::enumerate(function.getBody().front().getTerminator()->getOperands()))
      if (auto name = function.getResultAttrOfType<StringAttr>(i, "tower.result")) {
        FailureOr<Tensor> tensor = evaluateValue(function, value, inputs);
        if (failed(tensor))
          return failures.push_back("a loss cannot be evaluated: " + model.takeMessages());
        before["train_step/" + name.str()] = *tensor;
      }
    compare("--tower-differentiate", before, after, failures);
  }

  TestModel &model;
  Coverage &coverage;
  Failures &failures;
  Inputs inputs;
};

} // namespace

void differential::checkPasses(TestModel &model, Coverage &coverage, Failures &failures) {
  PassCheck(model, coverage, failures).run();
}
