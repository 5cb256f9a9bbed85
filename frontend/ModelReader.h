// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a spec file to a checked model in which every default is filled in: what the importer starts from.
#ifndef TOWERC_FRONTEND_MODELREADER_H
#define TOWERC_FRONTEND_MODELREADER_H

#include "frontend/SpecDiagnostics.h"
#include "frontend/SpecText.h"
#include "frontend/data.pb.h"
#include "frontend/model.pb.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tower {

/// A model that was read. After readSpec() succeeded:
/// - no enum is *_DEFAULT, every oneof is set, every name, table, column and list of features is written out;
/// - `augmentation` is present in every loss that can have one (mask NO_MASK and value_dropout 0 where it does
/// nothing),
///   `masked_features` is the number that is masked, `batch` of every loss is its number of rows;
/// - `rows`, `dim`, `max_values` and `width` are concrete (rows of a table that no feature uses: 1);
/// - the only 0s that still mean something else are documented as such in model.proto: Initializer.seed (the training
///   seed), Training.clip_norm (off), Validation.every_steps (each epoch), Validation.patience (never).
///
/// A path names a part of the model: "training.batch", "towers[0].layers[1]", "losses[1].contrastive.temperature".
struct Spec {
  spec::Model model;
  std::string file;                     ///< As it was given to readSpec.
  std::string source;                   ///< The file's text; after --set, the resulting model as text proto.
  std::optional<data::Dataset> dataset; ///< The schema of --data, where that was given.

  /// Where the part at `path` is written: the field's name, or the element of a list. A part that is not written (a
  /// default) is where the part around it is written; an overridden one is at "--set ...", line 0.
  SpecPosition positionOf(std::string_view path) const { return places.nameAt(path); }

  /// The same for the value of a scalar: what stands behind the colon.
  SpecPosition valuePositionOf(std::string_view path) const { return places.valueAt(path); }

  /// True if the path itself was written in the file or set by an override.
  bool isWritten(std::string_view path) const { return places.isWritten(path); }

  SpecPlaces places{""}; ///< Of everything that was written.
};

struct SpecOptions {
  std::vector<std::string> overrides; ///< Of --set, in order: "losses[ssl].weight=0.3".
  std::string data;                   ///< The dataset's folder; empty: none.
};

/// Reads, overrides, completes and checks the spec in `file`. All errors are collected in `diagnostics`; with any error
/// there is no result. Warnings do not stop it.
std::optional<Spec> readSpec(const std::string &file, const SpecOptions &options, SpecDiagnostics &diagnostics);

/// The same for a text that was read already; `file` names it in messages.
std::optional<Spec> readSpecText(const std::string &file, const std::string &text, const SpecOptions &options,
                                 SpecDiagnostics &diagnostics);

/// 16 hex digits of what a checkpoint must match: tables, entities, features, towers, which towers can be masked (they
/// own default rows), the optimizers' kinds. `model` must be complete, as readSpec leaves it.
std::string shapeHash(const spec::Model &model);

/// 16 hex digits of everything else that changes what training does: losses, rates, batch, length, seed, initializers.
std::string optionsHash(const spec::Model &model);

} // namespace tower

#endif // TOWERC_FRONTEND_MODELREADER_H
