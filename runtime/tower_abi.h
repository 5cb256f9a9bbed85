/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The contract between generated code and the runtime, and all that one knows of the other.
 * The compiler static_asserts the layouts below when it emits code; the runtime compiles against them.
 * Any change raises TOWER_ABI_VERSION. */
#ifndef TOWER_ABI_H
#define TOWER_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TOWER_ABI_MAGIC 0x52574f54u /* "TOWR" */
#define TOWER_ABI_VERSION 3u

/* The runtime's side of a running program (its thread pool); opaque to generated code. */
typedef struct tower_rt tower_rt;

/* Operands of one call of an entry point. `buffers` holds one pointer for every argument of the entry, in the order of
 * the manifest, then one for every result that is not an updated argument. Each points to a contiguous, row-major
 * tensor, aligned to 64 bytes where the runtime allocated it and to its element where it is a mapped column. `extents`
 * holds the run-time sizes: one for every dimension that the manifest shows as -1, in order of arguments, then of
 * results. */
typedef struct tower_call {
  void *const *buffers;
  const int64_t *extents;
  void *arena; /* `arena_bytes` of the entry, aligned to 64 bytes; contents need not survive between calls */
  tower_rt *runtime;
} tower_call;

/* What an entry point returns. */
enum tower_status {
  TOWER_OK = 0,
  TOWER_ID_OUT_OF_RANGE = 1, /* an id beyond its table's capacity */
};

typedef int32_t (*tower_entry)(const tower_call *call);

/* All kernels of a program in a form that a GPU takes. */
typedef struct tower_image {
  int32_t sm; /* 0: PTX, text that ends with a zero; else a cubin for that architecture, as 90 for an H100 */
  int32_t reserved;
  const void *data;
  int64_t bytes;
} tower_image;

/* The one exported symbol of a compiled model is `tower_program`, of this type. `manifest` is JSON text
 * (docs/Manifest.md): tensors, entry points with their arguments, arena sizes, the spec. Entries are in the manifest's
 * order, all of them for each of its targets in turn; then, if the manifest has "cuda", the programs that the host runs
 * for a GPU, whose kernels are in the images. */
typedef struct tower_program_v1 {
  uint32_t magic;
  uint32_t version;
  const char *manifest;
  int64_t manifest_bytes;
  const tower_entry *entries;
  int64_t num_entries;
  const tower_image *images;
  int64_t num_images;
} tower_program_v1;

extern const tower_program_v1 tower_program;

/* What generated code may need of an x86-64 processor; the manifest lists which of these each target does need. The
 * names are those of LLVM and of GCC's __builtin_cpu_supports alike. */
/* clang-format off */
#define TOWER_CPU_FEATURES(X) \
  X("sse3") X("ssse3") X("sse4.1") X("sse4.2") X("sse4a") X("popcnt") X("lzcnt") X("movbe") X("bmi") X("bmi2") \
  X("tbm") X("adx") X("gfni") X("f16c") X("fma") X("fma4") X("xop") X("avx") X("avx2") X("avxvnni") X("avx512f") \
  X("avx512cd") X("avx512bw") X("avx512dq") X("avx512vl") X("avx512ifma") X("avx512vbmi") X("avx512vbmi2") \
  X("avx512vnni") X("avx512bitalg") X("avx512vpopcntdq") X("avx512bf16") X("avx512fp16")
/* clang-format on */

/* ---- What generated code may call (besides memcpy and memset) ---- */

/* Runs body(frame, 0) ... body(frame, pieces - 1), in any order, on any thread, and returns when all are done.
 * How work is cut into pieces depends on the problem alone, never on the number of threads. */
typedef void (*tower_body)(void *frame, int64_t piece);
void tower_rt_parallel(tower_rt *runtime, tower_body body, void *frame, int64_t pieces);

/* All random numbers are Philox4x32-10 with key = (seed, stream), stream = FNV-1a-32 of a name in the model. */

/* positions[i] = place in the training pairs of the i-th pair of the batch at `step`: an epoch is a keyed bijection of
 * [0, total) (Feistel network with cycle walking), cut into floor(total / batch) batches; the rest is dropped. */
void tower_rt_sample_pairs(uint64_t seed, uint32_t stream, uint64_t step, int64_t batch, int64_t total,
                           int32_t *positions);

/* rows[i] uniform in [0, total), with replacement. */
void tower_rt_sample_uniform(uint64_t seed, uint32_t stream, uint64_t step, int64_t count, int64_t total,
                             int32_t *rows);

/* mask[f] = 1 where feature f of `features` is masked. order == NULL: `masked` features drawn at random without
 * replacement. Else a seed feature s is drawn and masked with order[s * (features - 1) + 0 .. masked - 2]: row s of
 * order has the other features by falling mutual information with s (paper, section 4.2.1). */
void tower_rt_feature_mask(uint64_t seed, uint32_t stream, uint64_t step, int64_t features, int64_t masked,
                           const int32_t *order, uint8_t *mask);

/* ---- What the program of a GPU may call: its buffers are the device's, but for step, seed, rate, items and MI orders,
 * which are the host's. All that is asked for happens in this order, some time before the entry's results are read.
 * ---- */

/* A kernel, by its name in the module that was compiled for the device. `host_form` is the same kernel for one thread
 * of a simulated device, or null: only tests have it. `arguments` points to each argument's value. */
typedef void (*tower_host_form)(void *const *arguments);
typedef struct tower_kernel {
  const char *name;
  tower_host_form host_form;
} tower_kernel;

/* A grid of `blocks` blocks, each of `warps` warps of 32 threads: thread (x, y) is lane x of warp y. Each argument is 8
 * bytes, a pointer or an integer; their values are read before the call returns. */
void tower_rt_launch(tower_rt *runtime, const tower_kernel *kernel, int64_t blocks, int64_t warps,
                     void *const *arguments, int64_t num_arguments);

/* Memory of the host that the device can copy from, valid until the entry returns. */
void *tower_rt_stage(tower_rt *runtime, int64_t bytes);

/* Copies to the device what the host's memory holds now. */
void tower_rt_upload(tower_rt *runtime, void *device, const void *host, int64_t bytes);

#ifdef __cplusplus
}
#endif
#endif
