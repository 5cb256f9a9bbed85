// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checks of the training options.
#include "frontend/SpecSteps.h"

namespace tower {

using namespace spec;

template <typename Kind> static void checkAdagrad(const std::string &path, const Kind &adagrad, SpecReporter &report) {
  report.number(path + ".rate", adagrad.rate(), adagrad.rate() > 0, "a finite number > 0");
  report.number(path + ".initial", adagrad.initial(), adagrad.initial() >= 0, "a finite number >= 0");
  report.number(path + ".epsilon", adagrad.epsilon(), adagrad.epsilon() >= 0, "a finite number >= 0");
  if (adagrad.initial() == 0 && adagrad.epsilon() == 0)
    report.error(path, "initial and epsilon are both 0, and a gradient of 0 would be divided by 0; one must be > 0");
}

static void checkAdam(const std::string &path, const Adam &adam, SpecReporter &report) {
  report.number(path + ".rate", adam.rate(), adam.rate() > 0, "a finite number > 0");
  report.number(path + ".beta1", adam.beta1(), adam.beta1() >= 0 && adam.beta1() < 1, "a number in [0, 1)");
  report.number(path + ".beta2", adam.beta2(), adam.beta2() >= 0 && adam.beta2() < 1, "a number in [0, 1)");
  report.number(path + ".epsilon", adam.epsilon(), adam.epsilon() > 0, "a finite number > 0");
}

static void checkOptimizer(const std::string &path, const Optimizer &optimizer, bool tables, SpecReporter &report) {
  switch (optimizer.kind_case()) {
  case Optimizer::kSgd:
    report.number(path + ".sgd.rate", optimizer.sgd().rate(), optimizer.sgd().rate() > 0, "a finite number > 0");
    break;
  case Optimizer::kAdagrad:
    checkAdagrad(path + ".adagrad", optimizer.adagrad(), report);
    break;
  case Optimizer::kRowwiseAdagrad:
    if (!tables)
      report.error(path + ".rowwise_adagrad", "is for tables only; allowed here: sgd, adagrad or adam");
    checkAdagrad(path + ".rowwise_adagrad", optimizer.rowwise_adagrad(), report);
    break;
  case Optimizer::kAdam:
    checkAdam(path + ".adam", optimizer.adam(), report);
    break;
  case Optimizer::KIND_NOT_SET:
    break;
  }
  float decay = optimizer.weight_decay();
  report.number(path + ".weight_decay", decay, decay >= 0, "a finite number >= 0");
  if (tables && decay > 0)
    report.error(path + ".weight_decay", "found " + numberText(decay) + "; only dense parameters can decay");
}

void checkTraining(const Spec &spec, SpecDiagnostics &diagnostics) {
  SpecReporter report(spec, diagnostics);
  const Training &training = spec.model.training();
  if (training.batch() < 2 || training.batch() > 1048576)
    report.error("training.batch", "found " + std::to_string(training.batch()) + "; allowed: 2 to 1048576");
  if (training.has_epochs() && training.epochs() == 0)
    report.error("training.epochs", "found 0; allowed: 1 or more");
  if (training.has_steps() && training.steps() == 0)
    report.error("training.steps", "found 0; allowed: 1 or more");
  checkOptimizer("training.tables", training.tables(), true, report);
  checkOptimizer("training.dense", training.dense(), false, report);
  report.number("training.clip_norm", training.clip_norm(), training.clip_norm() >= 0,
                "a finite number > 0, or 0 for no clipping");

  const Schedule &schedule = training.schedule();
  float rest = schedule.final_fraction();
  report.number("training.schedule.final_fraction", rest, rest >= 0 && rest <= 1, "a number in [0, 1]");
  if (rest > 0 && schedule.decay() == CONSTANT)
    report.warning("training.schedule.final_fraction", "has no effect with decay CONSTANT");
  if (training.has_steps() && training.steps() > 0 && schedule.warmup_steps() >= training.steps())
    report.error("training.schedule.warmup_steps", "found " + std::to_string(schedule.warmup_steps()) +
                                                       "; fewer than the training's " +
                                                       std::to_string(training.steps()) + " steps are allowed");
}

} // namespace tower
