// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A small dataset and a hand-written program.
#include "test/unit/RuntimeFixture.h"

#include "runtime/Error.h"
#include "runtime/Npy.h"

#include <filesystem>
#include <fstream>

using namespace tower;
using namespace tower::test;

namespace {

template <class T> void column(const std::string &path, const std::vector<T> &values, std::vector<int64_t> shape = {}) {
  if (shape.empty())
    shape = {static_cast<int64_t>(values.size())};
  rt::writeNpy<T>(path, values, shape);
}

template <int index> int32_t forward(const tower_call *call) { return fakeEntries[index](*call); }
const tower_entry entries[] = {forward<0>, forward<1>, forward<2>, forward<3>};

} // namespace

std::function<int32_t(const tower_call &)> test::fakeEntries[4];

void test::writeText(const std::string &path, std::string_view text) { std::ofstream(path, std::ios::binary) << text; }

void test::writeDataset(const TemporaryFolder &folder) {
  for (const char *name : {"vocab", "item", "pairs"})
    std::filesystem::create_directories(folder / name);
  // As protobuf writes it: int64 as strings, defaults absent.
  writeText(folder / "schema.json", R"({
    "vocabularies": [{"name": "color", "rows": 3}, {"name": "word", "rows": 4}],
    "entities": [{"name": "item", "rows": 4, "columns": [
      {"name": "color", "kind": "SINGLE", "vocabulary": "color"},
      {"name": "words", "kind": "MULTI", "vocabulary": "word", "longest": 3, "total": "6"},
      {"name": "size", "kind": "DENSE", "width": 1}]}],
    "pairs": [{"split": "train", "rows": 5, "weighted": true}, {"split": "validation"}, {"split": "test", "rows": 1}],
    "query_entity": "item", "item_entity": "item"})");
  writeText(folder / "vocab/color.txt", "\nred\ngreen\n");
  writeText(folder / "vocab/word.txt", "\nbig\nold\nnew\n");
  writeText(folder / "item/keys.txt", "a\nb\nc\nd\n");
  column<int32_t>(folder / "item/color.npy", {1, 2, 0, 1});
  column<int32_t>(folder / "item/words.values.npy", {1, 2, 3, 2, 3, 1});
  column<int64_t>(folder / "item/words.offsets.npy", {0, 2, 2, 3, 6});
  column<float>(folder / "item/size.npy", {0, 1, 2, 3}, {4, 1});
  column<int32_t>(folder / "pairs/train.query.npy", {0, 1, 2, 3, 0});
  column<int32_t>(folder / "pairs/train.item.npy", {1, 2, 1, 1, 2});
  column<float>(folder / "pairs/train.weight.npy", {1, 2, 3, 4, 5});
  column<int32_t>(folder / "pairs/validation.query.npy", {});
  column<int32_t>(folder / "pairs/validation.item.npy", {});
  column<int32_t>(folder / "pairs/test.query.npy", {3});
  column<int32_t>(folder / "pairs/test.item.npy", {0});
}

void test::writeMutualInformation(const TemporaryFolder &folder) {
  writeText(folder / "item/mi.json", R"({"features": ["color", "words", "size"],
    "plugin": [[2, 0.5, 0.7], [0.5, 2, 0.1], [0.7, 0.1, 2]],
    "shuffled": [[2, 0, 0.5], [0, 2, 0], [0.5, 0, 2]],
    "corrected": [[0, 0.5, 0.2], [0.5, 0, 0.1], [0.2, 0.1, 0]]})");
}

rt::Json test::fakeManifest() {
  return rt::Json::parse(R"({
    "towerc": "0.1.0", "name": "fake", "spec": "name: \"fake\"", "shape_hash": "00000000000000aa",
    "options_hash": "00000000000000bb", "triple": "x86_64-pc-linux-gnu",
    "targets": [{"cpu": "generic", "features": []}],
    "tensors": [
      {"name": "table/color", "role": "parameter", "shape": [3, 2], "offset": 0,
       "init": {"kind": "normal", "scale": 0.05, "seed": 0}},
      {"name": "table/color/adagrad", "role": "slot", "shape": [3, 2], "offset": 64,
       "init": {"kind": "constant", "scale": 0.1}},
      {"name": "entity/item/size/mean", "role": "constant", "shape": [1], "offset": 128,
       "init": {"kind": "mean", "entity": "item", "column": "size", "scaling": "linear"}},
      {"name": "entity/item/size/deviation", "role": "constant", "shape": [1], "offset": 192,
       "init": {"kind": "deviation", "entity": "item", "column": "size", "scaling": "log"}}],
    "tensor_bytes": 256,
    "columns": [{"entity": "item", "column": "color", "kind": "single", "rows": 3},
                {"entity": "item", "column": "words", "kind": "multi", "rows": 4, "longest": 3},
                {"entity": "item", "column": "size", "kind": "dense", "width": 1}],
    "query": {"tower": "query", "entity": "item"}, "item": {"tower": "item", "entity": "item"},
    "dim": 2, "normalized": true,
    "losses": [{"name": "main", "kind": "in_batch_softmax", "weight": 1.0},
               {"name": "ssl", "kind": "contrastive", "weight": 0.3,
                "mask": {"entity": "item", "kind": "correlated", "features": ["size", "words", "color"],
                         "mi": "plugin"}}],
    "training": {"batch": 2, "epochs": 10, "steps": 0, "seed": 1, "weighted": true, "logq": true, "warmup_steps": 0,
                 "decay": "constant", "final_fraction": 0.0, "validate_every_steps": 0, "patience": 0},
    "entries": [
      {"name": "train_step", "arena_bytes": 128, "arguments": [
        {"kind": "tensor", "name": "table/color", "shape": [3, 2], "dtype": "f32"},
        {"kind": "column", "entity": "item", "column": "color", "part": "ids", "shape": [-1], "dtype": "i32"},
        {"kind": "column", "entity": "item", "column": "words", "part": "offsets", "shape": [-1], "dtype": "i64"},
        {"kind": "column", "entity": "item", "column": "words", "part": "values", "shape": [-1], "dtype": "i32"},
        {"kind": "column", "entity": "item", "column": "size", "part": "numbers", "shape": [-1, 1], "dtype": "f32"},
        {"kind": "pairs", "part": "query", "shape": [-1], "dtype": "i32"},
        {"kind": "pairs", "part": "item", "shape": [-1], "dtype": "i32"},
        {"kind": "pairs", "part": "weight", "shape": [-1], "dtype": "f32"},
        {"kind": "log_probability", "shape": [-1], "dtype": "f32"},
        {"kind": "mi_order", "loss": "ssl", "shape": [3, 2], "dtype": "i32"},
        {"kind": "items", "entity": "item", "shape": [], "dtype": "i64"},
        {"kind": "step", "shape": [], "dtype": "i64"},
        {"kind": "seed", "shape": [], "dtype": "i64"},
        {"kind": "rate", "shape": [], "dtype": "f32"}],
       "results": [{"name": "loss", "shape": [], "dtype": "f32"}, {"name": "loss/main", "shape": [], "dtype": "f32"},
                   {"name": "loss/ssl", "shape": [], "dtype": "f32"}]},
      {"name": "embed_queries", "arena_bytes": 64,
       "arguments": [{"kind": "rows", "shape": [3], "dtype": "i32"}],
       "results": [{"name": "embeddings", "shape": [3, 2], "dtype": "f32"}]},
      {"name": "embed_items", "arena_bytes": 64,
       "arguments": [{"kind": "rows", "shape": [3], "dtype": "i32"}],
       "results": [{"name": "embeddings", "shape": [3, 2], "dtype": "f32"}]},
      {"name": "score", "arena_bytes": 0, "arguments": [
        {"kind": "queries", "shape": [-1, 2], "dtype": "f32"},
        {"kind": "catalogue", "shape": [-1, 2], "dtype": "f32"},
        {"kind": "exclude_offsets", "shape": [-1], "dtype": "i64"},
        {"kind": "exclude_rows", "shape": [-1], "dtype": "i32"}],
       "results": [{"name": "scores", "shape": [-1, -1], "dtype": "f32"},
                   {"name": "rows", "shape": [-1, -1], "dtype": "i32"}]}]})");
}

tower_program_v1 test::fakeProgram(const std::string &manifest) {
  return {TOWER_ABI_MAGIC, TOWER_ABI_VERSION, manifest.c_str(), static_cast<int64_t>(manifest.size()), entries, 4,
          nullptr, 0};
}

std::string test::messageOf(const std::function<void()> &function) {
  try {
    function();
    return "";
  } catch (const rt::Error &error) {
    return error.what();
  }
}
