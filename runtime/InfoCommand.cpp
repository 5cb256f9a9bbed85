// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// EXE info: what was compiled, for what, and how much memory it takes.
#include "runtime/Commands.h"
#include "runtime/Error.h"
#include "runtime/Processor.h"
#include "runtime/Progress.h"

#include <nlohmann/json.hpp>

#include <ostream>

namespace tower::rt {

namespace {
const char *roleName(TensorRole role) {
  switch (role) {
  case TensorRole::Parameter:
    return "parameter";
  case TensorRole::Slot:
    return "slot";
  case TensorRole::Constant:
    return "constant";
  }
  return "";
}

std::string shownSide(const TowerSide &side) { return "tower '" + side.tower + "' over '" + side.entity + "'"; }

/// Which code runs here, if there is a choice or none does.
void printProcessor(std::ostream &out, const Manifest &manifest) {
  try {
    size_t target = chooseTarget(manifest);
    if (manifest.targets.size() > 1)
      out << "processor: this machine runs the code for " << manifest.targets[target].cpu << "\n";
  } catch (const Error &error) {
    out << "processor: " << error.what() << "\n";
  }
}

/// Which GPUs have code of their own, and whether all others have code to be compiled when it is loaded.
void printImages(std::ostream &out, const tower_program_v1 &program) {
  if (program.num_images == 0)
    return;
  out << "GPU: code for";
  for (int64_t i = 0; i < program.num_images; ++i)
    out << (i ? ", " : " ") << (program.images[i].sm ? "sm_" + std::to_string(program.images[i].sm) : "any as PTX");
  out << "\n";
}

void printLosses(std::ostream &out, const Manifest &manifest) {
  out << "losses\n";
  for (const LossInfo &loss : manifest.losses) {
    out << "  " << loss.name << ": " << loss.kind << ", weight " << loss.weight;
    if (loss.mask)
      out << ", " << loss.mask->kind << " mask over " << loss.mask->features.size() << " features";
    out << "\n";
  }
}

void printTraining(std::ostream &out, const TrainingInfo &training) {
  out << "training\n  batch " << training.batch << ", "
      << (training.steps ? std::to_string(training.steps) + " steps" : std::to_string(training.epochs) + " epochs")
      << ", seed " << training.seed << ", rates " << training.decay;
  if (training.decay != "constant")
    out << " to " << training.finalFraction;
  if (training.warmupSteps)
    out << " after " << training.warmupSteps << " steps of warm-up";
  out << "\n  validation "
      << (training.validateEverySteps ? "every " + std::to_string(training.validateEverySteps) + " steps"
                                      : std::string("after every epoch"));
  if (training.patience)
    out << ", stops after " << training.patience << " without a better one";
  out << "\n";
}

void printMemory(std::ostream &out, const Manifest &manifest) {
  int64_t parameters = 0;
  for (const TensorInfo &tensor : manifest.tensors)
    if (tensor.role == TensorRole::Parameter)
      parameters += tensor.count();
  out << "tensors: " << shownCount(parameters) << " parameters, " << shownCount(manifest.tensorBytes)
      << " bytes in all\n";
  for (const TensorInfo &tensor : manifest.tensors)
    out << "  " << tensor.name << ": " << roleName(tensor.role) << " " << shapeText(tensor.shape) << "\n";
  out << "entries: bytes of working memory, all of it planned\n";
  for (const EntryInfo &entry : manifest.entries)
    out << "  " << entry.name << ": " << shownCount(entry.arenaBytes) << "\n";
}

void printCheckpoint(std::ostream &out, const std::string &path, const CheckpointInfo &info, const Manifest &manifest) {
  out << "checkpoint '" << path << "'\n  step " << info.step << ", seed " << info.seed;
  if (info.bestMetric >= 0)
    out << ", best validation recall@50 " << info.bestMetric;
  out << "\n  " << (info.shapeHash == manifest.shapeHash ? "fits this model" : "belongs to a model of another shape")
      << (info.optionsHash == manifest.optionsHash ? "" : "; trained with other options") << "\n";
}
} // namespace

int infoCommand(Invocation &invocation) {
  bool json = false, spec = false;
  std::string checkpoint;
  Flags flags(invocation.executable + " info", "Prints the model, its memory, and what it was compiled for.");
  flags.text("checkpoint", checkpoint, "FILE", "Print where this checkpoint stands too.");
  flags.toggle("spec", spec, "Print the spec it was compiled from, and nothing else.");
  flags.toggle("json", json, "Print the manifest, as JSON.");
  if (auto code = parseFlags(flags, invocation))
    return *code;

  Manifest manifest = readManifest(invocation.program);
  std::ostream &out = invocation.out;
  if (spec) {
    out << manifest.spec << (manifest.spec.ends_with('\n') ? "" : "\n");
    return Success;
  }
  std::optional<CheckpointInfo> stand;
  if (!checkpoint.empty())
    stand = readCheckpointInfo(checkpoint);
  if (json) {
    auto object = nlohmann::ordered_json::parse(invocation.program.manifest,
                                                invocation.program.manifest + invocation.program.manifest_bytes);
    if (stand)
      object["checkpoint"] = {{"step", stand->step},
                              {"seed", stand->seed},
                              {"best_recall@50", stand->bestMetric},
                              {"shape_hash", stand->shapeHash},
                              {"options_hash", stand->optionsHash},
                              {"data", stand->dataFingerprint}};
    out << object.dump(2) << "\n";
    return Success;
  }
  out << origin(manifest) << "\n";
  if (!manifest.targets.empty())
    printProcessor(out, manifest);
  printImages(out, invocation.program);
  if (manifest.precision != "fp32")
    out << "layers: products of " << manifest.precision << ", sums of fp32\n";
  out << "queries: " << shownSide(manifest.query) << "\nitems: " << shownSide(manifest.item)
      << "\nembeddings: " << manifest.dim << " wide, scored by " << (manifest.normalized ? "cosine" : "dot product")
      << "\n";
  printLosses(out, manifest);
  printTraining(out, manifest.training);
  printMemory(out, manifest);
  if (stand)
    printCheckpoint(out, checkpoint, *stand, manifest);
  return Success;
}

} // namespace tower::rt
