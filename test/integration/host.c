/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * A host program in C: loads what --emit=lib made, trains, saves, reads back and embeds, all through runtime/tower.h.
 *   host MODEL.so DATA CHECKPOINT */
#include "runtime/tower.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { STEPS = 5, MAX_LOSSES = 8 };

static void *library;

static void *address(const char *name) {
  void *found = dlsym(library, name);
  if (!found) {
    fprintf(stderr, "%s\n", dlerror());
    exit(1);
  }
  return found;
}

/* A function of the library under its own name. */
#define LOAD(name) __typeof__(name) *p_##name = (__typeof__(name) *)address(#name)

static void check(int good, const char *(*lastError)(void)) {
  if (good)
    return;
  fprintf(stderr, "%s\n", lastError());
  exit(1);
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: %s MODEL.so DATA CHECKPOINT\n", argv[0]);
    return 2;
  }
  library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  LOAD(tower_last_error);
  LOAD(tower_dataset_open);
  LOAD(tower_dataset_close);
  LOAD(tower_open);
  LOAD(tower_close);
  LOAD(tower_initialize);
  LOAD(tower_load_checkpoint);
  LOAD(tower_save_checkpoint);
  LOAD(tower_rate);
  LOAD(tower_train_step);
  LOAD(tower_dim);
  LOAD(tower_embed);

  tower_dataset *data = p_tower_dataset_open(argv[2]);
  check(data != NULL, p_tower_last_error);
  tower_model *model = p_tower_open(address("tower_program"), data, 2);
  check(model != NULL, p_tower_last_error);
  check(p_tower_initialize(model, 1) == 0, p_tower_last_error);
  for (int64_t step = 0; step < STEPS; ++step) {
    float losses[MAX_LOSSES];
    check(p_tower_train_step(model, step, 1, p_tower_rate(model, step), losses, 1) == 0, p_tower_last_error);
    printf("step %d: loss %.9g\n", (int)step, (double)losses[0]);
  }
  check(p_tower_save_checkpoint(model, argv[3], STEPS, 1) == 0, p_tower_last_error);

  int64_t next = -1;
  check(p_tower_initialize(model, 2) == 0, p_tower_last_error);
  check(p_tower_load_checkpoint(model, argv[3], &next) == 0, p_tower_last_error);
  printf("next step: %d\n", (int)next);

  int64_t dim = p_tower_dim(model);
  int32_t row = 0;
  float *embedding = malloc((size_t)dim * sizeof *embedding);
  check(p_tower_embed(model, TOWER_ITEM, &row, 1, embedding) == 0, p_tower_last_error);
  double squares = 0;
  for (int64_t i = 0; i < dim; ++i)
    squares += (double)embedding[i] * embedding[i];
  printf("length: %.4f\n", sqrt(squares));
  free(embedding);

  p_tower_close(model);
  p_tower_dataset_close(data);
  if (p_tower_dataset_open("/there/is/no/such/folder"))
    return 1;
  printf("said: %s\n", p_tower_last_error());
  return 0;
}
