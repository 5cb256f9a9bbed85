// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A compiled model, written by hand: what the tests of the runtime's commands train before there is a compiler. Queries
// and items are rows of one entity; each side has a table of its own, looked up by id; in-batch softmax of dot
// products; SGD on the query table, Adagrad on the item table.
//
// Two environment variables make a step go wrong: FAKE_SIGNAL=STEP:NUMBER raises a signal at the start of that step,
// FAKE_POISON=STEP:loss or STEP:tensor makes the loss, or an element of a table, not a number. FAKE_WATCH=STEP:COUNT
// ends the process after so many steps from that one, with a report of what they allocated; a system call ends it at
// once.
#include "runtime/tower_abi.h"

#include "runtime/Philox.h"
#include "test/unit/StepWatch.h"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

namespace {
constexpr int64_t batch = 8, dim = 4, embedRows = 16;

constexpr char manifest[] = R"({
  "towerc": "0.1.0", "name": "fake", "spec": "name: \"fake\"\n",
  "shape_hash": "0123456789abcdef", "options_hash": "fedcba9876543210",
  "triple": "x86_64-pc-linux-gnu", "targets": [{"cpu": "generic", "features": []}],
  "tensors": [
    {"name": "table/query", "role": "parameter", "shape": [128, 4], "offset": 0,
     "init": {"kind": "normal", "scale": 0.5, "seed": 0}},
    {"name": "table/item", "role": "parameter", "shape": [128, 4], "offset": 2048,
     "init": {"kind": "normal", "scale": 0.5, "seed": 0}},
    {"name": "table/item/adagrad", "role": "slot", "shape": [128, 4], "offset": 4096,
     "init": {"kind": "constant", "scale": 0.1}}],
  "tensor_bytes": 6144,
  "columns": [{"entity": "thing", "column": "id", "kind": "single", "rows": 128}],
  "query": {"tower": "asks", "entity": "thing"}, "item": {"tower": "answers", "entity": "thing"},
  "dim": 4, "normalized": false,
  "losses": [{"name": "main", "kind": "in_batch_softmax", "weight": 1.0}],
  "training": {"batch": 8, "epochs": 5, "steps": 0, "seed": 1, "weighted": false, "logq": false,
               "warmup_steps": 3, "decay": "cosine", "final_fraction": 0.1,
               "validate_every_steps": 0, "patience": 0},
  "entries": [
    {"name": "train_step", "arena_bytes": 256,
     "arguments": [
       {"kind": "tensor", "name": "table/query", "shape": [128, 4], "dtype": "f32"},
       {"kind": "tensor", "name": "table/item", "shape": [128, 4], "dtype": "f32"},
       {"kind": "tensor", "name": "table/item/adagrad", "shape": [128, 4], "dtype": "f32"},
       {"kind": "column", "entity": "thing", "column": "id", "part": "ids", "shape": [-1], "dtype": "i32"},
       {"kind": "pairs", "part": "query", "shape": [-1], "dtype": "i32"},
       {"kind": "pairs", "part": "item", "shape": [-1], "dtype": "i32"},
       {"kind": "step", "shape": [], "dtype": "i64"},
       {"kind": "seed", "shape": [], "dtype": "i64"},
       {"kind": "rate", "shape": [], "dtype": "f32"}],
     "results": [{"name": "loss", "shape": [], "dtype": "f32"}, {"name": "loss/main", "shape": [], "dtype": "f32"}]},
    {"name": "embed_queries", "arena_bytes": 0,
     "arguments": [
       {"kind": "tensor", "name": "table/query", "shape": [128, 4], "dtype": "f32"},
       {"kind": "column", "entity": "thing", "column": "id", "part": "ids", "shape": [-1], "dtype": "i32"},
       {"kind": "rows", "shape": [16], "dtype": "i32"}],
     "results": [{"name": "embeddings", "shape": [16, 4], "dtype": "f32"}]},
    {"name": "embed_items", "arena_bytes": 0,
     "arguments": [
       {"kind": "tensor", "name": "table/item", "shape": [128, 4], "dtype": "f32"},
       {"kind": "column", "entity": "thing", "column": "id", "part": "ids", "shape": [-1], "dtype": "i32"},
       {"kind": "rows", "shape": [16], "dtype": "i32"}],
     "results": [{"name": "embeddings", "shape": [16, 4], "dtype": "f32"}]},
    {"name": "score", "arena_bytes": 0,
     "arguments": [{"kind": "queries", "shape": [-1, 4], "dtype": "f32"},
                   {"kind": "catalogue", "shape": [-1, 4], "dtype": "f32"},
                   {"kind": "exclude_offsets", "shape": [-1], "dtype": "i64"},
                   {"kind": "exclude_rows", "shape": [-1], "dtype": "i32"}],
     "results": [{"name": "scores", "shape": [-1, -1], "dtype": "f32"},
                 {"name": "rows", "shape": [-1, -1], "dtype": "i32"}]}]
})";

template <class T> T *buffer(const tower_call *call, int index) { return static_cast<T *>(call->buffers[index]); }

/// What follows "STEP:" in an environment variable, if STEP is this one.
std::string wishAt(const char *variable, int64_t step) {
  const char *wish = std::getenv(variable);
  std::string prefix = std::to_string(step) + ":";
  return wish && std::strncmp(wish, prefix.c_str(), prefix.size()) == 0 ? wish + prefix.size() : "";
}

float dot(const float *a, const float *b) {
  float sum = 0;
  for (int64_t d = 0; d < dim; ++d)
    sum += a[d] * b[d];
  return sum;
}

/// From the first watched step to the start of the one after the last, so with all that the trainer does between steps.
void watch(int64_t step) {
  static int64_t count = 0, last = -1, before = 0;
  if (step == last) {
    int64_t allocations = tower::test::allocationCount() - before;
    tower::test::report("watched " + std::to_string(count) + " steps: " + std::to_string(allocations) + " allocations");
    std::_Exit(0);
  }
  if (std::string wish = wishAt("FAKE_WATCH", step); !wish.empty()) {
    count = std::stoi(wish);
    last = step + count;
    if (!tower::test::forbidSystemCalls(true))
      std::_Exit(4);
    before = tower::test::allocationCount();
  }
}

int32_t trainStep(const tower_call *call) {
  auto *queries = buffer<float>(call, 0), *items = buffer<float>(call, 1), *slot = buffer<float>(call, 2);
  const auto *ids = buffer<const int32_t>(call, 3);
  const auto *pairQuery = buffer<const int32_t>(call, 4), *pairItem = buffer<const int32_t>(call, 5);
  int64_t step = *buffer<const int64_t>(call, 6), seed = *buffer<const int64_t>(call, 7);
  float rate = 0.5f * *buffer<const float>(call, 8);
  watch(step);
  if (std::string number = wishAt("FAKE_SIGNAL", step); !number.empty())
    std::raise(std::stoi(number));

  int32_t positions[batch];
  tower_rt_sample_pairs(static_cast<uint64_t>(seed), tower::rt::fnv1a32("pairs"), static_cast<uint64_t>(step), batch,
                        call->extents[1], positions);
  struct Frame {
    float *softmax; // batch x batch
    float *q[batch], *x[batch];
    float total[batch];
  } frame{static_cast<float *>(call->arena), {}, {}, {}};
  auto &[softmax, q, x, totals] = frame;
  float loss = 0, dq[batch][dim] = {}, dx[batch][dim] = {};
  for (int64_t i = 0; i < batch; ++i) {
    q[i] = queries + dim * ids[pairQuery[positions[i]]];
    x[i] = items + dim * ids[pairItem[positions[i]]];
  }
  auto row = [](void *data, int64_t i) {
    auto *f = static_cast<Frame *>(data);
    for (int64_t j = 0; j < batch; ++j)
      f->total[i] += f->softmax[i * batch + j] = std::exp(dot(f->q[i], f->x[j]));
  };
  tower_rt_parallel(call->runtime, row, &frame, batch);
  for (int64_t i = 0; i < batch; ++i) {
    loss += (std::log(totals[i]) - dot(q[i], x[i])) / batch;
    for (int64_t j = 0; j < batch; ++j) {
      float gradient = (softmax[i * batch + j] / totals[i] - (i == j)) / batch;
      for (int64_t d = 0; d < dim; ++d) {
        dq[i][d] += gradient * x[j][d];
        dx[j][d] += gradient * q[i][d];
      }
    }
  }
  for (int64_t i = 0; i < batch; ++i)
    for (int64_t d = 0; d < dim; ++d) {
      q[i][d] -= rate * dq[i][d];
      float &sum = slot[x[i] - items + d];
      sum += dx[i][d] * dx[i][d];
      x[i][d] -= rate * dx[i][d] / std::sqrt(sum);
    }
  std::string poison = wishAt("FAKE_POISON", step);
  if (poison == "tensor")
    items[5] = std::numeric_limits<float>::quiet_NaN();
  *buffer<float>(call, 9) = loss;
  *buffer<float>(call, 10) = poison == "loss" ? std::numeric_limits<float>::quiet_NaN() : loss;
  return TOWER_OK;
}

int32_t embed(const tower_call *call) {
  struct Frame {
    const float *table;
    const int32_t *ids, *rows;
    float *out;
  } frame{buffer<const float>(call, 0), buffer<const int32_t>(call, 1), buffer<const int32_t>(call, 2),
          buffer<float>(call, 3)};
  auto body = [](void *data, int64_t i) {
    auto *f = static_cast<Frame *>(data);
    std::copy_n(f->table + dim * f->ids[f->rows[i]], dim, f->out + dim * i);
  };
  tower_rt_parallel(call->runtime, body, &frame, embedRows);
  return TOWER_OK;
}

int32_t score(const tower_call *call) {
  const int64_t *extents = call->extents;
  int64_t queries = extents[0], items = extents[1], k = extents[5];
  const auto *offsets = buffer<const int64_t>(call, 2);
  const auto *excluded = buffer<const int32_t>(call, 3);
  for (int64_t i = 0; i < queries; ++i) {
    std::vector<std::pair<float, int32_t>> all; // minus the score, so that ascending order breaks ties by row
    for (int64_t item = 0; item < items; ++item)
      if (!std::binary_search(excluded + offsets[i], excluded + offsets[i + 1], static_cast<int32_t>(item)))
        all.emplace_back(-dot(buffer<const float>(call, 0) + dim * i, buffer<const float>(call, 1) + dim * item), item);
    std::sort(all.begin(), all.end());
    for (int64_t rank = 0; rank < k; ++rank) {
      bool there = rank < static_cast<int64_t>(all.size());
      buffer<float>(call, 4)[i * k + rank] = there ? -all[rank].first : -std::numeric_limits<float>::infinity();
      buffer<int32_t>(call, 5)[i * k + rank] = there ? all[rank].second : -1;
    }
  }
  return TOWER_OK;
}

constexpr tower_entry entries[] = {trainStep, embed, embed, score};
} // namespace

const tower_program_v1 tower_program = {TOWER_ABI_MAGIC, TOWER_ABI_VERSION, manifest, sizeof manifest - 1, entries, 4, nullptr, 0};
