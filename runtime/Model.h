// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A compiled model at run time: its tensors, its data, and calls of its entry points.
#ifndef TOWER_RUNTIME_MODEL_H
#define TOWER_RUNTIME_MODEL_H

#include "runtime/Buffer.h"
#include "runtime/Checkpoint.h"
#include "runtime/Dataset.h"
#include "runtime/Inputs.h"
#include "runtime/Manifest.h"
#include "runtime/Place.h"
#include "runtime/Pool.h"
#include "runtime/Tensors.h"
#include "runtime/tower_abi.h"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tower::rt {

/// Which tower embeds.
enum class Side { Query, Item };

/// Checks magic and version of a program, then reads its manifest (once per Model, or alone for `info`).
Manifest readManifest(const tower_program_v1 &program);

/// Which items a query leaves out of its answers: for query i rows [offsets[i], offsets[i + 1]), rising.
struct Excluded {
  Buffer<int64_t> offsets{0}; // queries + 1
  Buffer<int32_t> rows;

  /// Ends the list of the next query; sorts `items` and drops repeats.
  void add(std::vector<int32_t> items);
};

/// Not for use by two threads at once.
class Model {
public:
  /// Checks that the data fits the program (checkData) and allocates tensors (zeroed). `place` is where it runs; none:
  /// this machine's processor. Program, data and pool must outlive the model. Throws Error.
  Model(const tower_program_v1 &program, const Dataset &data, Pool &pool, std::unique_ptr<Place> place = {});
  Model(const Model &) = delete;

  const Manifest &manifest() const { return info; }
  const Dataset &dataset() const { return data; }
  Pool &threads() const { return pool; }
  Place &where() const { return *place; }
  /// The tensors' values now. What is written to them reaches the processor's code only: GPUs read what initialize and
  /// load gave.
  const Tensors &tensors() const;
  /// Bytes of the arena, shared by all entries.
  size_t arenaBytes() const { return place->arenaBytes(); }
  /// Fills the arena with NaN and rows -1, for tests: its contents need not survive a call, so nothing may rely on
  /// them. Sanitizer builds do so before every call.
  void spoilArena() const { place->spoilArena(); }

  /// First values of all tensors.
  void initialize(uint64_t seed);
  /// The tensors of a checkpoint, and where its training stood. Throws Error (loadCheckpoint).
  CheckpointInfo load(const std::string &checkpoint);

  /// The pairs that are trained on: by default the data's split `train`. What the spans point to must outlive the
  /// model. Throws Error if there are fewer than a batch, or no weights where the model wants some.
  void setTrainingPairs(const Pairs &pairs);
  /// Finds everything that training steps read. Throws Error for what the data lacks, before anything is written.
  void prepareTraining() { bound("train_step"); }
  /// floor(training pairs / batch).
  int64_t stepsPerEpoch();
  /// The spec's `steps`, or `epochs` x stepsPerEpoch(); `epochs` > 0 overrides both.
  int64_t totalSteps(int64_t epochs = 0);

  /// Runs training step `step` (0, 1, ...) and updates the tensors. `rate`: rateFactor. The result holds the values of
  /// the entry's results (manifest: loss, loss/NAME, ...) until the next call.
  std::span<const float> trainStep(int64_t step, uint64_t seed, float rate);
  /// The same in two calls: as many as where().steps() may be started before the first of them is finished.
  void startStep(int64_t step, uint64_t seed, float rate);
  std::span<const float> finishStep();
  /// Names of trainStep's results.
  std::vector<std::string> lossNames() const;

  /// Embeds rows of the side's entity: out has rows.size() x dim floats.
  void embed(Side side, std::span<const int32_t> rows, std::span<float> out);
  /// All rows of the side's entity, in order: rows x dim.
  Buffer<float> embedAll(Side side);

  /// The k best catalogue rows for each query: scores fall, ties by row number; row -1 and score -inf where fewer are
  /// left. `queries` has n x dim floats, `catalogue` items x dim, `scores` and `rows` n x k. excluded.offsets has n + 1
  /// numbers.
  void score(std::span<const float> queries, std::span<const float> catalogue, const Excluded &excluded, int64_t k,
             std::span<float> scores, std::span<int32_t> rows);

private:
  /// An entry with its operands, arguments and then results: pointers that never change are set once, others before
  /// each call.
  struct Bound {
    const EntryInfo *entry = nullptr;
    std::vector<void *> buffers;
    std::vector<int64_t> extents;
    std::vector<Buffer<float>> results; // of shapes known at compile time

    const Shape &shape(size_t operand) const;
    size_t firstArgument(ArgumentKind kind) const;
    size_t firstResult() const { return entry->arguments.size(); }
    void set(size_t operand, const void *pointer, const Shape &actual);
  };

  Bound &bound(const char *entry);
  void bindArgument(Bound &bound, size_t index);
  void bindColumn(Bound &bound, size_t index);
  void bindPairs(Bound &bound, size_t index);
  EntryCall callOf(const Bound &bound) const;
  void check(const Bound &bound, int32_t status) const;
  void call(const Bound &bound) const { check(bound, place->call(callOf(bound))); }
  const Pairs &trainingPairs();

  const Dataset &data;
  Pool &pool;
  Manifest info;
  std::unique_ptr<Place> place;
  Tensors block;
  std::map<std::string, Bound> bounds;
  Pairs training;
  Buffer<float> logProbability;
  std::map<std::string, Buffer<int32_t>> miOrders; // by loss
  std::map<std::string, int64_t> itemCounts;       // by entity
  int64_t stepValue = 0, seedValue = 0;
  float rateValue = 1;
  std::vector<float> losses;
};

} // namespace tower::rt
#endif
