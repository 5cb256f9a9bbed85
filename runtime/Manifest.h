// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The manifest of a compiled model (docs/Manifest.md) as plain structs.
#ifndef TOWER_RUNTIME_MANIFEST_H
#define TOWER_RUNTIME_MANIFEST_H

#include "runtime/Dataset.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tower::rt {

using Shape = std::vector<int64_t>; // -1: known at run time

/// The product of the dimensions, all known.
int64_t elementCount(const Shape &shape);
/// As in "[59, 16]".
std::string shapeText(const Shape &shape);

enum class TensorRole { Parameter, Slot, Constant };
enum class InitKind { Normal, Uniform, Constant, Zero, Mean, Deviation };

struct Init {
  InitKind kind = InitKind::Zero;
  double scale = 0;           // normal: deviation; uniform: half width; constant: the value
  uint64_t seed = 0;          // 0: the run's seed
  std::string entity, column; // mean, deviation: over this column
  bool logarithmic = false;   // mean, deviation: of log(1 + x)
};

struct TensorInfo {
  std::string name;
  TensorRole role = TensorRole::Parameter;
  Shape shape;
  int64_t offset = 0; // in bytes, a multiple of 64
  Init init;

  int64_t count() const { return elementCount(shape); }
};

struct ColumnNeed {
  std::string entity, column;
  ColumnKind kind = ColumnKind::Single;
  int64_t rows = 0;    // single, multi: capacity of the table
  int64_t longest = 0; // multi
  int64_t width = 0;   // dense
};

struct TowerSide {
  std::string tower, entity;
};

struct MaskInfo {
  std::string entity;
  std::string kind;                  // random or correlated
  std::vector<std::string> features; // names of columns, in the tower's order
  bool corrected = false;            // correlated: mi is "corrected"; else "plugin"
};

struct LossInfo {
  std::string name, kind;
  double weight = 1;
  std::optional<MaskInfo> mask;
};

struct TrainingInfo {
  int64_t batch = 0;
  int64_t epochs = 0, steps = 0; // one of them is 0
  uint64_t seed = 1;
  bool weighted = false, logq = false;
  int64_t warmupSteps = 0;
  std::string decay = "constant"; // constant, linear or cosine
  double finalFraction = 0;
  int64_t validateEverySteps = 0; // 0: after every epoch
  int64_t patience = 0;           // 0: never stop early
};

enum class ArgumentKind {
  Tensor,
  Column,
  Pairs,
  LogProbability,
  MiOrder,
  Items,
  Step,
  Seed,
  Rate,
  Rows,
  Queries,
  Catalogue,
  ExcludeOffsets,
  ExcludeRows
};

struct ArgumentInfo {
  ArgumentKind kind = ArgumentKind::Tensor;
  std::string name;                 // tensor
  std::string entity, column, part; // column: ids, offsets, values or numbers; pairs: query, item or weight; items
  std::string loss;                 // mi_order
  Shape shape;
  ElementType type = ElementType::F32;
};

struct ResultInfo {
  std::string name;
  Shape shape;
  ElementType type = ElementType::F32;
};

struct EntryInfo {
  std::string name;
  int64_t arenaBytes = 0;
  std::vector<ArgumentInfo> arguments;
  std::vector<ResultInfo> results;
};

/// A processor that the program holds code for.
struct TargetInfo {
  std::string cpu;                   // as in x86-64-v3
  std::vector<std::string> features; // what it must have (TOWER_CPU_FEATURES)
};

/// Code for GPUs that the program holds beside that for its targets.
struct CudaInfo {
  std::map<std::string, int64_t> arenaBytes; // by entry, on the device
};

struct Manifest {
  std::string version; // of towerc
  std::string name, spec, shapeHash, optionsHash;
  std::string triple;
  std::vector<TargetInfo> targets; // the best first; empty only if there is code for a GPU
  std::optional<CudaInfo> cuda;
  std::string precision; // of what layers multiply: fp32 or bf16
  std::vector<TensorInfo> tensors;
  int64_t tensorBytes = 0;
  std::vector<ColumnNeed> columns;
  TowerSide query, item;
  int64_t dim = 0;
  bool normalized = true;
  std::vector<LossInfo> losses;
  TrainingInfo training;
  std::vector<EntryInfo> entries;

  /// Index of an entry or a tensor, -1 if there is none.
  int findEntry(std::string_view name) const;
  int findTensor(std::string_view name) const;
};

/// Throws Error if the text is not a manifest.
Manifest parseManifest(std::string_view json);

} // namespace tower::rt
#endif
