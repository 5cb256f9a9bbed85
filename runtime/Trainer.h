// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The training loop: steps, validation, checkpoints, early stop, Ctrl-C, and what happens when a number is not finite.
#ifndef TOWER_RUNTIME_TRAINER_H
#define TOWER_RUNTIME_TRAINER_H

#include "runtime/Checkpoint.h"
#include "runtime/Evaluation.h"
#include "runtime/MetricsLog.h"
#include "runtime/Model.h"
#include "runtime/PairSubset.h"
#include "runtime/Prefetch.h"
#include "runtime/Progress.h"
#include "runtime/StopSignal.h"

#include <memory>
#include <optional>
#include <ostream>
#include <string>

namespace tower::rt {

struct TrainOptions {
  std::string checkpoint;
  std::string metrics;                  ///< folder; empty: none
  std::optional<int64_t> epochs, steps; ///< at most one; none: the checkpoint's when resuming, else the spec's
  std::optional<int64_t> seed;
  std::optional<int64_t> validateEvery; ///< steps; none: the spec's
  std::optional<double> fraction;
  bool resume = false, overwrite = false; ///< at most one; neither: what is there is not touched
  bool acceptOtherData = false, quiet = false;
};

/// Where the best checkpoint of "NAME.safetensors" is kept: "NAME.best.safetensors".
std::string bestCheckpointPath(const std::string &checkpoint);

/// Trains a model. What a checkpoint holds follows from data, spec, seed and step alone, so a run that was cut anywhere
/// and resumed ends with the bytes of a run that was not.
class Trainer {
public:
  /// Initializes the model, or loads the checkpoint when resuming. Messages go to `err`. Throws Error, also for a
  /// checkpoint that nobody asked to replace.
  Trainer(Model &model, TrainOptions options, std::ostream &err);

  /// Runs to the end, to an early stop or to a signal. Throws Error when a number is not finite: the last checkpoint
  /// is then as it was.
  void run();

private:
  void refuseToOverwrite() const;
  void startAnew();
  void resumeFrom(const CheckpointInfo &checkpoint);
  void selectPairs();
  int64_t chosenLength() const;

  /// Runs the next step and adds its losses to the sums. Throws Error unless they are finite. Steps behind it may be
  /// under way then, up to the next validation.
  void step(Progress &progress);
  void finishStep(Progress &progress);
  void writeMetrics(const Progress &progress);
  /// Validates, keeps the checkpoint if it is the best; true when patience is at its end.
  bool validate(Progress &progress);
  void save(const std::string &path);
  [[noreturn]] void reportNotFinite(const std::string &found) const;
  bool stoppedEarly() const;
  void say(const std::string &text) const;

  Model &model;
  TrainOptions options;
  std::ostream &err;
  StopSignal signal; ///< from before the first checkpoint: a run that left one does not end without a word
  CheckpointInfo info;
  std::unique_ptr<PairSubset> subset;
  std::optional<Prefetch> prefetch;
  std::optional<EvaluationTask> validation;
  int64_t totalSteps = 0, stepsPerEpoch = 0, validateEvery = 0;
  int64_t startedSteps = 0;  ///< info.step counts those that are finished
  int64_t withoutBetter = 0; ///< validations since the best one
  int64_t savedStep = 0;     ///< step of the last checkpoint
  MetricsLog metrics;
  int64_t metricsEvery = 1;
  std::vector<double> lossSums; ///< since the last metrics
  int64_t summed = 0;
  double recentLoss = 0;
};

} // namespace tower::rt

#endif // TOWER_RUNTIME_TRAINER_H
