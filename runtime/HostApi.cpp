// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The C interface of tower.h. No exception crosses it.
#include "runtime/tower.h"

#include "runtime/Checkpoint.h"
#include "runtime/Error.h"
#include "runtime/Model.h"

#include <algorithm>
#include <cmath>
#include <string>

using namespace tower::rt;

struct tower_dataset {
  Dataset data;
};

struct tower_model {
  tower_model(const tower_program_v1 &program, const Dataset &data, unsigned threads)
      : program(program), pool(threads), model(program, data, pool) {}

  const tower_program_v1 &program;
  Pool pool;
  Model model;
};

namespace {

thread_local std::string lastError;

/// function()'s result, or `failure` with its message kept for tower_last_error.
template <class Function, class Result> Result guarded(Result failure, Function function) {
  try {
    return function();
  } catch (const std::bad_alloc &) {
    lastError = "there is not enough memory";
  } catch (const std::exception &error) {
    lastError = error.what();
  }
  return failure;
}

Side sideOf(tower_side side) {
  if (side != TOWER_QUERY && side != TOWER_ITEM)
    throw Error("a side is TOWER_QUERY or TOWER_ITEM");
  return side == TOWER_QUERY ? Side::Query : Side::Item;
}

const Entity &entityOf(const Model &model, tower_side side) {
  const Manifest &manifest = model.manifest();
  return model.dataset().entity(sideOf(side) == Side::Query ? manifest.query.entity : manifest.item.entity);
}

} // namespace

extern "C" {

const char *tower_last_error(void) { return lastError.c_str(); }

tower_dataset *tower_dataset_open(const char *folder) {
  return guarded(static_cast<tower_dataset *>(nullptr), [&] { return new tower_dataset{Dataset(folder)}; });
}

void tower_dataset_close(tower_dataset *dataset) { delete dataset; }

tower_model *tower_open(const tower_program_v1 *program, tower_dataset *dataset, int threads) {
  return guarded(static_cast<tower_model *>(nullptr), [&] {
    if (!program || !dataset || threads < 0)
      throw Error("tower_open needs a program, a dataset and a number of threads >= 0");
    return new tower_model(*program, dataset->data, static_cast<unsigned>(threads));
  });
}

void tower_close(tower_model *model) { delete model; }

const char *tower_manifest(const tower_model *model) { return model->program.manifest; }

int64_t tower_tensor_count(const tower_model *model) { return static_cast<int64_t>(model->model.tensors().size()); }

const char *tower_tensor_name(const tower_model *model, int64_t index) {
  if (index < 0 || index >= tower_tensor_count(model)) {
    lastError = "there is no tensor number " + std::to_string(index);
    return nullptr;
  }
  return model->model.tensors().info(static_cast<size_t>(index)).name.c_str();
}

int tower_tensor(tower_model *model, const char *name, float **data, int64_t *count) {
  return guarded(-1, [&] {
    std::span<float> tensor = model->model.tensors()[std::string_view(name)];
    *data = tensor.data();
    *count = static_cast<int64_t>(tensor.size());
    return 0;
  });
}

int tower_initialize(tower_model *model, uint64_t seed) {
  return guarded(-1, [&] {
    model->model.initialize(seed);
    return 0;
  });
}

int tower_load_checkpoint(tower_model *model, const char *path, int64_t *step) {
  return guarded(-1, [&] {
    CheckpointInfo info = model->model.load(path);
    if (step)
      *step = info.step;
    return 0;
  });
}

int tower_save_checkpoint(tower_model *model, const char *path, int64_t step, uint64_t seed) {
  return guarded(-1, [&] {
    CheckpointInfo info = checkpointInfo(model->model.manifest(), model->model.dataset().fingerprint());
    info.step = step;
    info.seed = seed;
    saveCheckpoint(path, model->model.tensors(), info);
    return 0;
  });
}

int64_t tower_steps_per_epoch(tower_model *model) {
  return guarded(int64_t{-1}, [&] { return model->model.stepsPerEpoch(); });
}

int64_t tower_total_steps(tower_model *model) {
  return guarded(int64_t{-1}, [&] { return model->model.totalSteps(); });
}

float tower_rate(tower_model *model, int64_t step) {
  return guarded(NAN, [&] { return rateFactor(model->model.manifest().training, step, model->model.totalSteps()); });
}

int tower_train_step(tower_model *model, int64_t step, uint64_t seed, float rate, float *losses, int64_t count) {
  return guarded(-1, [&] {
    std::span<const float> results = model->model.trainStep(step, seed, rate);
    std::copy_n(results.begin(), std::clamp<int64_t>(count, 0, static_cast<int64_t>(results.size())), losses);
    return 0;
  });
}

int64_t tower_dim(const tower_model *model) { return model->model.manifest().dim; }

int64_t tower_rows(const tower_model *model, tower_side side) {
  return guarded(int64_t{-1}, [&] { return entityOf(model->model, side).rows; });
}

int tower_embed(tower_model *model, tower_side side, const int32_t *rows, int64_t count, float *out) {
  return guarded(-1, [&] {
    int64_t limit = entityOf(model->model, side).rows;
    for (int64_t i = 0; i < count; ++i)
      if (rows[i] < 0 || rows[i] >= limit)
        throw Error("row " + std::to_string(rows[i]) + " is not in [0, " + std::to_string(limit) + ")");
    size_t size = static_cast<size_t>(count);
    model->model.embed(sideOf(side), {rows, size}, {out, size * static_cast<size_t>(tower_dim(model))});
    return 0;
  });
}

int tower_score(tower_model *model, const float *queries, int64_t count, const float *catalogue, int64_t items,
                const int64_t *exclude_offsets, const int32_t *exclude_rows, int64_t k, float *scores, int32_t *rows) {
  return guarded(-1, [&] {
    if (count < 0 || items < 0 || k < 1)
      throw Error("tower_score needs count >= 0, items >= 0 and k >= 1");
    Excluded excluded;
    if (exclude_offsets) {
      excluded.offsets.assign(exclude_offsets, exclude_offsets + count + 1);
      excluded.rows.assign(exclude_rows, exclude_rows + exclude_offsets[count]);
    } else {
      excluded.offsets.resize(static_cast<size_t>(count) + 1);
    }
    size_t dim = static_cast<size_t>(tower_dim(model)), best = static_cast<size_t>(count * k);
    model->model.score({queries, static_cast<size_t>(count) * dim}, {catalogue, static_cast<size_t>(items) * dim},
                       excluded, k, {scores, best}, {rows, best});
    return 0;
  });
}

} // extern "C"
