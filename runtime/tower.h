/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The C interface for host programs. `towerc --emit=lib` makes a shared library that exports these functions and
 * `tower_program`: load it, take the addresses, and train or query the model in any language.
 *
 *   const struct tower_program_v1 *program = dlsym(library, "tower_program");
 *   tower_dataset *data = tower_dataset_open("data/");
 *   tower_model *model = tower_open(program, data, 2);
 *   if (!model || tower_initialize(model, 1)) puts(tower_last_error());
 *   for (int64_t step = 0; step < 100; ++step) tower_train_step(model, step, 1, 1.0f, losses, 3);
 *
 * Functions that return int give 0, or -1 on failure; those that return pointers give NULL on failure.
 * tower_last_error() then says what, where and what to do. A model must not be used by two threads at once. Handles
 * belong to the library that made them. */
#ifndef TOWER_H
#define TOWER_H

#include <stdint.h>

#if defined(__GNUC__)
#define TOWER_API __attribute__((visibility("default")))
#else
#define TOWER_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct tower_program_v1;
typedef struct tower_dataset tower_dataset;
typedef struct tower_model tower_model;

enum tower_side { TOWER_QUERY = 0, TOWER_ITEM = 1 };

/* Of the calling thread's last failure; "" if there was none. Valid until this thread's next failure. */
TOWER_API const char *tower_last_error(void);

/* Opens a dataset's folder. Its files are checked once and stamped: opening it again costs little. One dataset may
 * serve any number of models and must outlive them. */
TOWER_API tower_dataset *tower_dataset_open(const char *folder);
TOWER_API void tower_dataset_close(tower_dataset *dataset);

/* Takes the code for this machine's processor (or that which the environment variable TOWER_CPU names), checks that the
 * data fits the program and allocates everything; tensors are zero. threads: 0 for one per CPU. */
TOWER_API tower_model *tower_open(const struct tower_program_v1 *program, tower_dataset *dataset, int threads);
TOWER_API void tower_close(tower_model *model);

/* The manifest, JSON (docs/Manifest.md). */
TOWER_API const char *tower_manifest(const tower_model *model);

/* Tensors, all float32 and row-major, in the manifest's order. *data may be read and written until tower_close. */
TOWER_API int64_t tower_tensor_count(const tower_model *model);
TOWER_API const char *tower_tensor_name(const tower_model *model, int64_t index);
TOWER_API int tower_tensor(tower_model *model, const char *name, float **data, int64_t *count);

/* Gives all tensors their first values, or those of a checkpoint. *step (may be NULL): the next step to run. */
TOWER_API int tower_initialize(tower_model *model, uint64_t seed);
TOWER_API int tower_load_checkpoint(tower_model *model, const char *path, int64_t *step);
TOWER_API int tower_save_checkpoint(tower_model *model, const char *path, int64_t step, uint64_t seed);

/* Steps of an epoch and of the whole training; -1 on failure. */
TOWER_API int64_t tower_steps_per_epoch(tower_model *model);
TOWER_API int64_t tower_total_steps(tower_model *model);
/* The schedule's factor of the learning rates at a step of the whole training; NaN on failure. */
TOWER_API float tower_rate(tower_model *model, int64_t step);

/* Runs one training step, any step at any time. `losses` receives the first `count` results in the manifest's order:
 * the weighted sum, then each loss. */
TOWER_API int tower_train_step(tower_model *model, int64_t step, uint64_t seed, float rate, float *losses,
                               int64_t count);

/* Width of an embedding; rows of a side's entity; -1 if side is neither. */
TOWER_API int64_t tower_dim(const tower_model *model);
TOWER_API int64_t tower_rows(const tower_model *model, enum tower_side side);

/* Embeds `count` rows of the side's entity: out has count x dim floats. */
TOWER_API int tower_embed(tower_model *model, enum tower_side side, const int32_t *rows, int64_t count, float *out);

/* The k best of `items` catalogue embeddings for each of `count` query embeddings: scores fall, ties by row number, row
 * -1 where fewer than k are left. Query i leaves out exclude_rows[exclude_offsets[i] .. exclude_offsets[i + 1]),
 * rising; NULL for both: nothing is left out. scores and rows have count x k elements. */
TOWER_API int tower_score(tower_model *model, const float *queries, int64_t count, const float *catalogue,
                          int64_t items, const int64_t *exclude_offsets, const int32_t *exclude_rows, int64_t k,
                          float *scores, int32_t *rows);

#ifdef __cplusplus
}
#endif
#endif
