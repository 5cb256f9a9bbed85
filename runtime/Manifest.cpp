// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading the manifest. The compiler wrote it, so an error here means that program and runtime do not belong together.
#include "runtime/Manifest.h"

#include "runtime/Error.h"
#include "runtime/Json.h"

#include <utility>

using namespace tower::rt;

namespace {

template <class Value>
Value oneOf(const JsonView &view, const char *key, std::initializer_list<std::pair<const char *, Value>> choices) {
  std::string text = view.text(key);
  for (const auto &[name, value] : choices)
    if (text == name)
      return value;
  view.field(key).fail("'" + text + "' is unknown to this runtime");
}

Shape parseShape(const JsonView &view) {
  Shape shape;
  for (const JsonView &dim : view.field("shape").elements())
    shape.push_back(dim.asInteger());
  return shape;
}

Init parseInit(const JsonView &view) {
  Init init;
  init.kind = oneOf<InitKind>(view, "kind",
                              {{"normal", InitKind::Normal},
                               {"uniform", InitKind::Uniform},
                               {"constant", InitKind::Constant},
                               {"zero", InitKind::Zero},
                               {"mean", InitKind::Mean},
                               {"deviation", InitKind::Deviation}});
  if (init.kind == InitKind::Mean || init.kind == InitKind::Deviation) {
    init.entity = view.text("entity");
    init.column = view.text("column");
    init.logarithmic = oneOf<bool>(view, "scaling", {{"linear", false}, {"log", true}});
  } else if (init.kind != InitKind::Zero) {
    init.scale = view.number("scale");
    init.seed = static_cast<uint64_t>(view.integer("seed", 0));
  }
  return init;
}

TensorInfo parseTensor(const JsonView &view, int64_t tensorBytes) {
  TensorInfo tensor;
  tensor.name = view.text("name");
  tensor.role = oneOf<TensorRole>(
      view, "role",
      {{"parameter", TensorRole::Parameter}, {"slot", TensorRole::Slot}, {"constant", TensorRole::Constant}});
  tensor.shape = parseShape(view);
  tensor.offset = view.integer("offset");
  tensor.init = parseInit(view.field("init"));
  for (int64_t dim : tensor.shape)
    if (dim < 0)
      view.field("shape").fail("a tensor's size is not known at run time only");
  if (tensor.offset < 0 || tensor.offset % 64 != 0 || tensor.offset + 4 * tensor.count() > tensorBytes)
    view.field("offset").fail("does not lie in the block of " + std::to_string(tensorBytes) + " bytes");
  return tensor;
}

ColumnNeed parseColumn(const JsonView &view) {
  ColumnNeed column;
  column.entity = view.text("entity");
  column.column = view.text("column");
  column.kind = oneOf<ColumnKind>(
      view, "kind", {{"single", ColumnKind::Single}, {"multi", ColumnKind::Multi}, {"dense", ColumnKind::Dense}});
  if (column.kind == ColumnKind::Dense)
    column.width = view.integer("width");
  else
    column.rows = view.integer("rows");
  if (column.kind == ColumnKind::Multi)
    column.longest = view.integer("longest");
  return column;
}

LossInfo parseLoss(const JsonView &view) {
  LossInfo loss{view.text("name"), view.text("kind"), view.number("weight"), {}};
  if (!view.has("mask"))
    return loss;
  JsonView mask = view.field("mask");
  loss.mask = MaskInfo{mask.text("entity"), mask.text("kind"), {}, mask.text("mi", "plugin") == "corrected"};
  for (const JsonView &feature : mask.field("features").elements())
    loss.mask->features.push_back(feature.asText());
  return loss;
}

TrainingInfo parseTraining(const JsonView &view) {
  TrainingInfo training;
  training.batch = view.integer("batch");
  if (training.batch < 1)
    view.field("batch").fail("is not positive");
  training.epochs = view.integer("epochs", 0);
  training.steps = view.integer("steps", 0);
  training.seed = static_cast<uint64_t>(view.integer("seed", 1));
  training.weighted = view.flag("weighted", false);
  training.logq = view.flag("logq", false);
  training.warmupSteps = view.integer("warmup_steps", 0);
  training.decay = view.text("decay", "constant");
  training.finalFraction = view.number("final_fraction", 0);
  training.validateEverySteps = view.integer("validate_every_steps", 0);
  training.patience = view.integer("patience", 0);
  return training;
}

ElementType parseType(const JsonView &view) {
  return oneOf<ElementType>(
      view, "dtype",
      {{"f32", ElementType::F32}, {"i32", ElementType::I32}, {"i64", ElementType::I64}, {"f64", ElementType::F64}});
}

ArgumentInfo parseArgument(const JsonView &view) {
  ArgumentInfo argument;
  argument.kind = oneOf<ArgumentKind>(view, "kind",
                                      {{"tensor", ArgumentKind::Tensor},
                                       {"column", ArgumentKind::Column},
                                       {"pairs", ArgumentKind::Pairs},
                                       {"log_probability", ArgumentKind::LogProbability},
                                       {"mi_order", ArgumentKind::MiOrder},
                                       {"items", ArgumentKind::Items},
                                       {"step", ArgumentKind::Step},
                                       {"seed", ArgumentKind::Seed},
                                       {"rate", ArgumentKind::Rate},
                                       {"rows", ArgumentKind::Rows},
                                       {"queries", ArgumentKind::Queries},
                                       {"catalogue", ArgumentKind::Catalogue},
                                       {"exclude_offsets", ArgumentKind::ExcludeOffsets},
                                       {"exclude_rows", ArgumentKind::ExcludeRows}});
  argument.name = view.text("name", "");
  argument.entity = view.text("entity", "");
  argument.column = view.text("column", "");
  argument.part = view.text("part", "");
  argument.loss = view.text("loss", "");
  argument.shape = parseShape(view);
  argument.type = parseType(view);
  return argument;
}

TargetInfo parseTarget(const JsonView &view) {
  TargetInfo target{view.text("cpu"), {}};
  for (const JsonView &feature : view.field("features").elements())
    target.features.push_back(feature.asText());
  return target;
}

EntryInfo parseEntry(const JsonView &view) {
  EntryInfo entry;
  entry.name = view.text("name");
  entry.arenaBytes = view.integer("arena_bytes");
  if (entry.arenaBytes < 0)
    view.field("arena_bytes").fail("is negative");
  for (const JsonView &argument : view.field("arguments").elements())
    entry.arguments.push_back(parseArgument(argument));
  for (const JsonView &result : view.field("results").elements())
    entry.results.push_back({result.text("name"), parseShape(result), parseType(result)});
  return entry;
}

CudaInfo parseCuda(const JsonView &view, const std::vector<EntryInfo> &entries) {
  CudaInfo cuda;
  JsonView arenas = view.field("arena_bytes");
  for (const EntryInfo &entry : entries)
    if ((cuda.arenaBytes[entry.name] = arenas.integer(entry.name.c_str())) < 0)
      arenas.field(entry.name.c_str()).fail("is negative");
  return cuda;
}

} // namespace

int64_t tower::rt::elementCount(const Shape &shape) {
  int64_t count = 1;
  for (int64_t dim : shape)
    count *= dim;
  return count;
}

std::string tower::rt::shapeText(const Shape &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

int Manifest::findEntry(std::string_view wanted) const {
  for (size_t i = 0; i < entries.size(); ++i)
    if (entries[i].name == wanted)
      return static_cast<int>(i);
  return -1;
}

int Manifest::findTensor(std::string_view wanted) const {
  for (size_t i = 0; i < tensors.size(); ++i)
    if (tensors[i].name == wanted)
      return static_cast<int>(i);
  return -1;
}

Manifest tower::rt::parseManifest(std::string_view json) {
  Json document = parseJson(json, "the program's manifest");
  JsonView root(document, "the program's manifest");
  Manifest manifest;
  manifest.version = root.text("towerc");
  manifest.name = root.text("name");
  manifest.spec = root.text("spec");
  manifest.shapeHash = root.text("shape_hash");
  manifest.optionsHash = root.text("options_hash");
  manifest.triple = root.text("triple");
  for (const JsonView &view : root.field("targets").elements())
    manifest.targets.push_back(parseTarget(view));
  if (manifest.targets.empty() && !root.has("cuda"))
    root.field("targets").fail("is empty");
  manifest.precision = root.text("precision", "fp32");
  manifest.tensorBytes = root.integer("tensor_bytes");
  for (const JsonView &view : root.field("tensors").elements())
    manifest.tensors.push_back(parseTensor(view, manifest.tensorBytes));
  for (const JsonView &view : root.field("columns").elements())
    manifest.columns.push_back(parseColumn(view));
  manifest.query = {root.field("query").text("tower"), root.field("query").text("entity")};
  manifest.item = {root.field("item").text("tower"), root.field("item").text("entity")};
  manifest.dim = root.integer("dim");
  manifest.normalized = root.flag("normalized");
  for (const JsonView &view : root.field("losses").elements())
    manifest.losses.push_back(parseLoss(view));
  manifest.training = parseTraining(root.field("training"));
  for (const JsonView &view : root.field("entries").elements())
    manifest.entries.push_back(parseEntry(view));
  if (root.has("cuda"))
    manifest.cuda = parseCuda(root.field("cuda"), manifest.entries);
  return manifest;
}
