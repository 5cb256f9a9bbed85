// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checkpoints: .safetensors files with all tensors of a model (parameters, slots, constants) and, as metadata, where
// the training stood. The one that a run starts with has metadata only: first values follow from seed and data, and a
// large model starts at once instead of writing them.
#ifndef TOWER_RUNTIME_CHECKPOINT_H
#define TOWER_RUNTIME_CHECKPOINT_H

#include "runtime/Manifest.h"
#include "runtime/Tensors.h"

#include <cstdint>
#include <map>
#include <string>

namespace tower::rt {

struct CheckpointInfo {
  int64_t step = 0; // steps done: the next one to run
  uint64_t seed = 0;
  double bestMetric = -1; // of the validations so far; -1: none yet
  std::string name, spec; // of the model
  std::string shapeHash, optionsHash;
  std::string dataFingerprint;
  std::map<std::string, std::string> extra; // anything else the trainer wants back
  bool firstValues = false;                 // read from a file without tensors: they have their first values
};

/// Fills in name, spec and hashes from the manifest.
CheckpointInfo checkpointInfo(const Manifest &manifest, const std::string &dataFingerprint);

/// Writes a checkpoint, as a whole or not at all (replaceFile). The bytes depend on the arguments alone.
void saveCheckpoint(const std::string &path, const Tensors &tensors, const CheckpointInfo &info);

/// Writes the checkpoint that a run starts with, without tensors. info.step is 0.
void saveStart(const std::string &path, const CheckpointInfo &info);

/// The metadata alone. Throws Error if the file is not a complete checkpoint.
CheckpointInfo readCheckpointInfo(const std::string &path);

/// Loads all tensors; if the result says firstValues, they are the caller's to compute (Model::load does). Throws
/// Error, and changes no tensor, if the file is not a complete checkpoint of a model of the same shape. Differences of
/// options or data are the caller's to judge, from the result.
CheckpointInfo loadCheckpoint(const std::string &path, const Manifest &manifest, const Tensors &tensors);

} // namespace tower::rt
#endif
