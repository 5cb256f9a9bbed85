// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The training loop.
#include "runtime/Trainer.h"

#include "runtime/Error.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>

namespace tower::rt {

namespace {
// Keys of CheckpointInfo::extra.
constexpr const char *fractionKey = "fraction", *lengthKey = "total_steps", *patienceKey = "validations_without_better";
constexpr int64_t validationK = 50;

std::string shortest(double number) {
  char text[64];
  return {text, std::to_chars(text, text + sizeof text, number).ptr};
}

std::string extra(const CheckpointInfo &info, const char *key, const std::string &fallback) {
  auto found = info.extra.find(key);
  return found == info.extra.end() ? fallback : found->second;
}

std::string inQuotes(const std::string &path) { return "'" + path + "'"; }

std::string shownRecall(double recall) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", recall);
  return text;
}
} // namespace

std::string bestCheckpointPath(const std::string &checkpoint) {
  std::string stem = checkpoint;
  if (stem.ends_with(".safetensors"))
    stem.resize(stem.size() - std::string_view(".safetensors").size());
  return stem + ".best.safetensors";
}

Trainer::Trainer(Model &model, TrainOptions chosen, std::ostream &err)
    : model(model), options(std::move(chosen)), err(err) {
  const Manifest &manifest = model.manifest();
  bool resuming = options.resume && std::filesystem::exists(options.checkpoint);
  if (resuming) {
    resumeFrom(model.load(options.checkpoint));
  } else {
    if (!options.overwrite)
      refuseToOverwrite();
    if (options.resume)
      say("there is no checkpoint " + inQuotes(options.checkpoint) + " yet: starting with the first step");
    info = checkpointInfo(manifest, model.dataset().fingerprint());
    info.seed = options.seed ? static_cast<uint64_t>(*options.seed) : manifest.training.seed;
  }
  selectPairs();
  stepsPerEpoch = model.stepsPerEpoch();
  totalSteps = chosenLength();
  validateEvery = options.validateEvery.value_or(manifest.training.validateEverySteps);
  if (validateEvery == 0)
    validateEvery = stepsPerEpoch;
  metricsEvery = std::max<int64_t>(1, totalSteps / 1000);
  lossSums.assign(model.lossNames().size(), 0);
  if (const Pairs *pairs = model.dataset().findPairs("validation"); pairs && pairs->size() > 0)
    validation = evaluationTask(model.dataset(), "validation", {validationK},
                                manifest.query.entity == manifest.item.entity, false);
  else
    say("the data has no validation pairs: no validation, no best checkpoint, no early stop");
  std::string lengthBefore = extra(info, lengthKey, "");
  info.extra[lengthKey] = std::to_string(totalSteps);
  model.prepareTraining();
  if (!resuming)
    startAnew();
  else if (lengthBefore != info.extra[lengthKey] && manifest.training.decay != "constant")
    say("the training's length was " + lengthBefore + " steps and is now " + info.extra[lengthKey] +
        ": the rates decay towards the new end");
  savedStep = startedSteps = info.step;
  if (!options.metrics.empty())
    metrics.open(options.metrics, info.step);
}

/// A run that starts anew deletes what an earlier one left under the same name.
void Trainer::refuseToOverwrite() const {
  std::string best = bestCheckpointPath(options.checkpoint);
  if (std::filesystem::exists(options.checkpoint))
    throw Error("checkpoint " + inQuotes(options.checkpoint) +
                " is there already: go on from it with --resume, or replace it with --overwrite");
  if (std::filesystem::exists(best))
    throw Error("checkpoint " + inQuotes(best) + " is there already, but not the one to go on from, " +
                inQuotes(options.checkpoint) + ": replace it with --overwrite, or give another --checkpoint");
}

void Trainer::startAnew() {
  model.initialize(info.seed);
  // An old file must not be what a run that is cut before its first validation resumes from; and a path that cannot be
  // written is said before hours of work.
  std::filesystem::remove(bestCheckpointPath(options.checkpoint));
  saveStart(options.checkpoint, info);
}

void Trainer::resumeFrom(const CheckpointInfo &checkpoint) {
  info = checkpoint;
  const Manifest &manifest = model.manifest();
  if (options.seed && static_cast<uint64_t>(*options.seed) != info.seed)
    throw Error("checkpoint " + inQuotes(options.checkpoint) + " was trained with seed " + std::to_string(info.seed) +
                ", not " + std::to_string(*options.seed) +
                ": leave out --seed to go on, or start anew with --overwrite");
  std::string fingerprint = model.dataset().fingerprint();
  std::string fraction = extra(info, fractionKey, "1");
  bool otherData = info.dataFingerprint != fingerprint;
  if (otherData && !options.acceptOtherData)
    throw Error("checkpoint " + inQuotes(options.checkpoint) + " was trained on other data (fingerprint " +
                info.dataFingerprint + ") than " + inQuotes(model.dataset().folder()) + " holds (" + fingerprint +
                "): give the same data, or insist with --accept-other-data");
  if (options.fraction && shortest(*options.fraction) != fraction && !options.acceptOtherData)
    throw Error("checkpoint " + inQuotes(options.checkpoint) + " was trained on a fraction of " + fraction +
                " of the pairs, not " + shortest(*options.fraction) +
                ": leave out --fraction to go on, or insist with --accept-other-data");
  if (info.optionsHash != manifest.optionsHash)
    say("the training options differ from those that checkpoint " + inQuotes(options.checkpoint) +
        " was trained with: going on with the new ones");
  CheckpointInfo now = checkpointInfo(manifest, fingerprint);
  info.name = now.name;
  info.spec = now.spec;
  info.optionsHash = now.optionsHash;
  info.dataFingerprint = now.dataFingerprint;
  std::string count = extra(info, patienceKey, "0");
  std::from_chars(count.data(), count.data() + count.size(), withoutBetter);
  say("resuming " + inQuotes(options.checkpoint) + " at step " + std::to_string(info.step));
}

void Trainer::selectPairs() {
  double fraction = 1;
  std::string stored = extra(info, fractionKey, "1");
  std::from_chars(stored.data(), stored.data() + stored.size(), fraction);
  fraction = options.fraction.value_or(fraction);
  info.extra[fractionKey] = shortest(fraction);
  const Pairs &all = model.dataset().pairs("train");
  if (fraction >= 1) {
    prefetch.emplace(model.manifest(), model.dataset(), all, prefetchBudget());
    return;
  }
  // The spec's seed, not the run's: runs with several seeds then learn from the same pairs.
  subset = std::make_unique<PairSubset>(all, fraction, model.manifest().training.seed);
  model.setTrainingPairs(subset->pairs());
  prefetch.emplace(model.manifest(), model.dataset(), subset->pairs(), prefetchBudget());
  say("training on " + shownCount(subset->pairs().size()) + " of " + shownCount(all.size()) + " pairs");
}

int64_t Trainer::chosenLength() const {
  if (options.steps)
    return *options.steps;
  if (options.epochs)
    return model.totalSteps(*options.epochs);
  int64_t length = model.totalSteps();
  std::string stored = extra(info, lengthKey, "");
  std::from_chars(stored.data(), stored.data() + stored.size(), length);
  return length;
}

bool Trainer::stoppedEarly() const {
  int64_t patience = model.manifest().training.patience;
  return validation && patience > 0 && withoutBetter >= patience;
}

void Trainer::run() {
  if (info.step >= totalSteps) {
    say("nothing to do: " + inQuotes(options.checkpoint) + " has been trained for " + std::to_string(info.step) +
        " of " + std::to_string(totalSteps) + " steps; --epochs or --steps with a larger number goes on");
    return;
  }
  if (stoppedEarly()) {
    say("nothing to do: " + inQuotes(options.checkpoint) + " stopped early at step " + std::to_string(info.step) +
        "; the best one is " + inQuotes(bestCheckpointPath(options.checkpoint)));
    return;
  }
  Progress progress(err, info.step, totalSteps, stepsPerEpoch, model.manifest().training.batch, options.quiet);
  bool early = false;
  bool stop = signal.requested(); // by now there is a checkpoint to go on from
  while (info.step < totalSteps && !early && !stop) {
    step(progress);
    stop = signal.requested();
    while (stop && info.step < startedSteps)
      finishStep(progress);
    if (info.step % validateEvery == 0 || info.step == totalSteps) {
      early = validate(progress);
      save(options.checkpoint);
    } else if (stop) {
      save(options.checkpoint);
    }
  }
  if (stop && info.step < totalSteps && !early) {
    progress.message("stopped after step " + std::to_string(info.step) + " of " + std::to_string(totalSteps) +
                     "; saved " + inQuotes(options.checkpoint) + ": --resume goes on from there");
    return;
  }
  progress.message((early ? "stopped early after step " : "trained for ") + std::to_string(info.step) +
                   (early ? "" : " steps") + "; saved " + inQuotes(options.checkpoint) +
                   (info.bestMetric >= 0 ? "; the best one is " + inQuotes(bestCheckpointPath(options.checkpoint)) +
                                               " (validation recall@50 " + shownRecall(info.bestMetric) + ")"
                                         : ""));
}

void Trainer::step(Progress &progress) {
  int64_t pause = std::min(totalSteps, (info.step / validateEvery + 1) * validateEvery);
  for (int64_t end = std::min(pause, info.step + model.where().steps()); startedSteps < end; ++startedSteps) {
    if (startedSteps + 1 < totalSteps)
      prefetch->announce(startedSteps + 1, info.seed);
    model.startStep(startedSteps, info.seed, rateFactor(model.manifest().training, startedSteps, totalSteps));
  }
  finishStep(progress);
}

void Trainer::finishStep(Progress &progress) {
  std::span<const float> losses = model.finishStep();
  ++info.step;
  for (size_t i = 0; i < losses.size(); ++i) {
    if (!std::isfinite(losses[i])) {
      progress.finish();
      reportNotFinite(model.lossNames()[i] + " is " + (std::isnan(losses[i]) ? "not a number" : "infinite"));
    }
    lossSums[i] += losses[i];
  }
  ++summed;
  // The bar shows a running mean, which a single batch does not shake.
  double share = recentLoss == 0 ? 1 : 0.1;
  recentLoss += share * (losses[0] - recentLoss);
  if (!options.metrics.empty() && (info.step % metricsEvery == 0 || info.step == totalSteps))
    writeMetrics(progress);
  progress.update(info.step, recentLoss);
}

void Trainer::writeMetrics(const Progress &progress) {
  Scalars scalars;
  std::vector<std::string> names = model.lossNames();
  for (size_t i = 0; i < names.size(); ++i)
    scalars.emplace_back(names[i], static_cast<float>(lossSums[i] / static_cast<double>(summed)));
  scalars.emplace_back("rate", rateFactor(model.manifest().training, info.step - 1, totalSteps));
  scalars.emplace_back("examples_per_second", static_cast<float>(progress.examplesPerSecond(info.step)));
  metrics.write(info.step, scalars);
  std::fill(lossSums.begin(), lossSums.end(), 0);
  summed = 0;
}

bool Trainer::validate(Progress &progress) {
  if (!validation)
    return false;
  progress.pause();
  Ranking ranking = evaluateModel(model, *validation);
  progress.resume();
  const RankingAt &at = ranking.at[0];
  metrics.write(info.step, {{"validation/recall@50", static_cast<float>(at.recall)},
                            {"validation/map@50", static_cast<float>(at.map)},
                            {"validation/ndcg@50", static_cast<float>(at.ndcg)},
                            {"validation/head_recall@50", static_cast<float>(at.headRecall)},
                            {"validation/tail_recall@50", static_cast<float>(at.tailRecall)}});
  bool better = at.recall > info.bestMetric;
  withoutBetter = better ? 0 : withoutBetter + 1;
  info.extra[patienceKey] = std::to_string(withoutBetter);
  if (better) {
    info.bestMetric = at.recall;
    save(bestCheckpointPath(options.checkpoint));
  }
  if (!options.quiet)
    progress.message("step " + std::to_string(info.step) + ": validation recall@50 " + shownRecall(at.recall) +
                     " (head " + shownRecall(at.headRecall) + ", tail " + shownRecall(at.tailRecall) + ")" +
                     (better ? ", the best so far" : ""));
  return stoppedEarly();
}

void Trainer::save(const std::string &path) {
  if (const TensorInfo *tensor = model.tensors().findNotFinite(model.threads()))
    reportNotFinite("tensor '" + tensor->name + "' has an element that is not finite");
  saveCheckpoint(path, model.tensors(), info);
  savedStep = info.step;
}

void Trainer::reportNotFinite(const std::string &found) const {
  std::string text = "step " + std::to_string(info.step) + ": " + found;
  if (!found.starts_with("tensor")) {
    const TensorInfo *tensor = model.tensors().findNotFinite(model.threads());
    text += tensor ? "; the first tensor that is not finite is '" + tensor->name + "'" : "; all tensors are finite";
  }
  throw Error(text + ". Training stopped; " + inQuotes(options.checkpoint) + " is as it was at step " +
              std::to_string(savedStep) + ". Try a lower rate, a warm-up or clip_norm in the spec");
}

void Trainer::say(const std::string &text) const {
  if (!options.quiet)
    err << text << std::endl;
}

} // namespace tower::rt
