// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Binding the entry points of a compiled model to tensors and data, and calling them.
#include "runtime/Model.h"

#include "runtime/Error.h"
#include <algorithm>
#include <cstddef>
#include <cstring>

using namespace tower::rt;

// Generated code has these numbers in it.
static_assert(offsetof(tower_call, buffers) == 0 && offsetof(tower_call, extents) == 8 &&
              offsetof(tower_call, arena) == 16 && offsetof(tower_call, runtime) == 24 && sizeof(tower_call) == 32);
static_assert(offsetof(tower_program_v1, magic) == 0 && offsetof(tower_program_v1, version) == 4 &&
              offsetof(tower_program_v1, manifest) == 8 && offsetof(tower_program_v1, manifest_bytes) == 16 &&
              offsetof(tower_program_v1, entries) == 24 && offsetof(tower_program_v1, num_entries) == 32 &&
              offsetof(tower_program_v1, images) == 40 && offsetof(tower_program_v1, num_images) == 48);
static_assert(sizeof(tower_image) == 24 && offsetof(tower_image, sm) == 0 && offsetof(tower_image, data) == 8 &&
              offsetof(tower_image, bytes) == 16);

namespace {

/// `data` itself if it is aligned to 64 bytes, else a copy in `copy`.
const float *aligned(std::span<const float> data, Buffer<float> &copy) {
  if (reinterpret_cast<uintptr_t>(data.data()) % 64 == 0 && !data.empty())
    return data.data();
  copy.assign(data.begin(), data.end());
  copy.reserve(1);
  return copy.data();
}

int64_t lengthOf(auto span) { return static_cast<int64_t>(span.size()); }

} // namespace

Manifest tower::rt::readManifest(const tower_program_v1 &program) {
  if (program.magic != TOWER_ABI_MAGIC)
    throw Error("this is not a program that towerc compiled");
  if (program.version != TOWER_ABI_VERSION)
    throw Error("the program was compiled for version " + std::to_string(program.version) +
                " of the runtime's interface, but this runtime has version " + std::to_string(TOWER_ABI_VERSION) +
                "; compile the model again");
  Manifest manifest = parseManifest({program.manifest, static_cast<size_t>(program.manifest_bytes)});
  auto listed = static_cast<int64_t>(manifest.entries.size() * (manifest.targets.size() + (manifest.cuda ? 1 : 0)));
  if (listed != program.num_entries)
    throw Error("the program has " + std::to_string(program.num_entries) + " entry points, but its manifest lists " +
                std::to_string(listed) + "; compile the model again");
  if (manifest.cuda && program.num_images == 0)
    throw Error("the program's manifest says that it has code for a GPU, but it has none; compile the model again");
  return manifest;
}

void Excluded::add(std::vector<int32_t> items) {
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
  rows.insert(rows.end(), items.begin(), items.end());
  offsets.push_back(lengthOf(std::span(rows)));
}

Model::Model(const tower_program_v1 &program, const Dataset &data, Pool &pool, std::unique_ptr<Place> wanted)
    : data(data), pool(pool), info(readManifest(program)),
      place(wanted ? std::move(wanted) : std::make_unique<HostPlace>(program, info, pool)), block(info) {
  checkData(info, data);
  place->useTensors(block);
}

const Tensors &Model::tensors() const {
  place->readTensors();
  return block;
}

void Model::initialize(uint64_t seed) {
  block.initialize(data, seed, pool);
  place->tensorsWritten();
}

CheckpointInfo Model::load(const std::string &checkpoint) {
  CheckpointInfo stand = loadCheckpoint(checkpoint, info, block);
  place->tensorsWritten();
  if (stand.firstValues)
    initialize(stand.seed);
  return stand;
}

void Model::setTrainingPairs(const Pairs &pairs) {
  if (pairs.size() < info.training.batch)
    throw Error(data.folder() + ": has " + std::to_string(pairs.size()) + " training pairs, fewer than a batch of " +
                std::to_string(info.training.batch) + "; lower training.batch in the spec");
  if (info.training.weighted && pairs.weight.empty())
    throw Error(data.folder() + ": the model weighs pairs, but the training pairs have no weights");
  for (const void *before :
       {static_cast<const void *>(training.query.data()), static_cast<const void *>(training.item.data()),
        static_cast<const void *>(training.weight.data()), static_cast<const void *>(logProbability.data())})
    place->forget(before);
  training = pairs;
  bounds.erase("train_step");
}

const Pairs &Model::trainingPairs() {
  if (training.query.empty())
    setTrainingPairs(data.pairs("train"));
  return training;
}

int64_t Model::stepsPerEpoch() { return trainingPairs().size() / info.training.batch; }

int64_t Model::totalSteps(int64_t epochs) {
  if (epochs <= 0 && info.training.steps > 0)
    return info.training.steps;
  return (epochs > 0 ? epochs : info.training.epochs) * stepsPerEpoch();
}

const Shape &Model::Bound::shape(size_t operand) const {
  return operand < firstResult() ? entry->arguments[operand].shape : entry->results[operand - firstResult()].shape;
}

size_t Model::Bound::firstArgument(ArgumentKind kind) const {
  for (size_t i = 0; i < entry->arguments.size(); ++i)
    if (entry->arguments[i].kind == kind)
      return i;
  throw Error("entry point '" + entry->name + "' lacks an argument that this runtime gives; compile the model again");
}

void Model::Bound::set(size_t operand, const void *pointer, const Shape &actual) {
  size_t extent = 0;
  for (size_t i = 0; i < operand; ++i)
    extent += static_cast<size_t>(std::count(shape(i).begin(), shape(i).end(), -1));
  const Shape &declared = shape(operand);
  bool fits = declared.size() == actual.size();
  for (size_t i = 0; fits && i < declared.size(); ++i) {
    fits = declared[i] == -1 || declared[i] == actual[i];
    if (declared[i] == -1)
      extents[extent++] = actual[i];
  }
  if (!fits)
    throw Error("entry point '" + entry->name + "' has an operand of shape " + shapeText(declared) +
                ", but the data gives " + shapeText(actual) + "; compile the model for this data");
  buffers[operand] = const_cast<void *>(pointer);
}

Model::Bound &Model::bound(const char *name) {
  auto found = bounds.find(name);
  if (found != bounds.end())
    return found->second;
  int index = info.findEntry(name);
  if (index < 0)
    throw Error(std::string("the program has no entry point '") + name + "'; compile the model again");
  Bound bound;
  bound.entry = &info.entries[static_cast<size_t>(index)];
  size_t operands = bound.entry->arguments.size() + bound.entry->results.size();
  bound.buffers.resize(operands);
  bound.results.resize(bound.entry->results.size());
  size_t unknown = 0;
  for (size_t i = 0; i < operands; ++i)
    unknown += static_cast<size_t>(std::count(bound.shape(i).begin(), bound.shape(i).end(), -1));
  bound.extents.resize(unknown);
  for (size_t i = 0; i < bound.entry->arguments.size(); ++i)
    bindArgument(bound, i);
  for (size_t i = 0; i < bound.results.size(); ++i) {
    const ResultInfo &result = bound.entry->results[i];
    if (std::count(result.shape.begin(), result.shape.end(), -1) || result.type != ElementType::F32)
      continue;
    bound.results[i].resize(static_cast<size_t>(elementCount(result.shape)));
    bound.buffers[bound.firstResult() + i] = bound.results[i].data();
  }
  return bounds.emplace(name, std::move(bound)).first->second;
}

void Model::bindArgument(Bound &bound, size_t index) {
  const ArgumentInfo &argument = bound.entry->arguments[index];
  switch (argument.kind) {
  case ArgumentKind::Tensor: {
    int tensor = info.findTensor(argument.name);
    if (tensor < 0)
      throw Error("entry point '" + bound.entry->name + "' reads a tensor '" + argument.name +
                  "' that the manifest does not list");
    bound.set(index, block[static_cast<size_t>(tensor)].data(), block.info(static_cast<size_t>(tensor)).shape);
    break;
  }
  case ArgumentKind::Column:
    bindColumn(bound, index);
    break;
  case ArgumentKind::Pairs:
    bindPairs(bound, index);
    break;
  case ArgumentKind::LogProbability:
    logProbability = logProbabilities(trainingPairs(), data.entity(info.item.entity).rows);
    bound.set(index, logProbability.data(), {lengthOf(std::span(logProbability))});
    break;
  case ArgumentKind::MiOrder: {
    auto loss = std::find_if(info.losses.begin(), info.losses.end(),
                             [&](const LossInfo &l) { return l.name == argument.loss; });
    if (loss == info.losses.end() || !loss->mask)
      throw Error("entry point '" + bound.entry->name + "' masks for a loss '" + argument.loss +
                  "' that has no mask in the manifest");
    Buffer<int32_t> &order = miOrders[argument.loss] = miOrder(*loss->mask, data);
    int64_t features = lengthOf(std::span(loss->mask->features));
    bound.set(index, order.data(), {features, features - 1});
    break;
  }
  case ArgumentKind::Items: {
    int64_t &count = itemCounts[argument.entity] = data.entity(argument.entity).rows;
    bound.set(index, &count, {});
    break;
  }
  case ArgumentKind::Step:
    bound.set(index, &stepValue, {});
    break;
  case ArgumentKind::Seed:
    bound.set(index, &seedValue, {});
    break;
  case ArgumentKind::Rate:
    bound.set(index, &rateValue, {});
    break;
  case ArgumentKind::Rows:
  case ArgumentKind::Queries:
  case ArgumentKind::Catalogue:
  case ArgumentKind::ExcludeOffsets:
  case ArgumentKind::ExcludeRows:
    break; // given with each call
  }
}

void Model::bindColumn(Bound &bound, size_t index) {
  const ArgumentInfo &argument = bound.entry->arguments[index];
  const Entity &entity = data.entity(argument.entity);
  const Column *column = entity.find(argument.column);
  if (column && argument.part == "ids" && column->kind == ColumnKind::Single)
    bound.set(index, column->ids.data(), {entity.rows});
  else if (column && argument.part == "offsets" && column->kind == ColumnKind::Multi)
    bound.set(index, column->offsets.data(), {entity.rows + 1});
  else if (column && argument.part == "values" && column->kind == ColumnKind::Multi)
    bound.set(index, column->values.data(), {lengthOf(column->values)});
  else if (column && argument.part == "numbers" && column->kind == ColumnKind::Dense)
    bound.set(index, column->numbers.data(), {entity.rows, column->width});
  else
    throw Error("entry point '" + bound.entry->name + "' reads " + argument.part + " of column '" + argument.column +
                "' of entity '" + argument.entity + "', which the data does not have");
}

void Model::bindPairs(Bound &bound, size_t index) {
  const Pairs &pairs = trainingPairs();
  const std::string &part = bound.entry->arguments[index].part;
  if (part == "query")
    bound.set(index, pairs.query.data(), {pairs.size()});
  else if (part == "item")
    bound.set(index, pairs.item.data(), {pairs.size()});
  else if (part == "weight" && !pairs.weight.empty())
    bound.set(index, pairs.weight.data(), {pairs.size()});
  else
    throw Error("entry point '" + bound.entry->name + "' reads the " + part +
                " of training pairs, which the data does not have");
}

EntryCall Model::callOf(const Bound &bound) const {
  return {*bound.entry, static_cast<size_t>(bound.entry - info.entries.data()), bound.buffers, bound.extents};
}

void Model::check(const Bound &bound, int32_t status) const {
  if (status == TOWER_ID_OUT_OF_RANGE)
    throw Error(data.folder() + ": holds an id beyond the capacity of its table; compile the model for this data: " +
                "towerc model.txtpb --data " + data.folder() + " -o " + info.name);
  if (status != TOWER_OK)
    throw Error("entry point '" + bound.entry->name + "' failed with status " + std::to_string(status));
}

std::span<const float> Model::trainStep(int64_t step, uint64_t seed, float rate) {
  startStep(step, seed, rate);
  return finishStep();
}

void Model::startStep(int64_t step, uint64_t seed, float rate) {
  Bound &entry = bound("train_step");
  stepValue = step;
  seedValue = static_cast<int64_t>(seed);
  rateValue = rate;
  check(entry, place->startStep(callOf(entry)));
}

std::span<const float> Model::finishStep() {
  Bound &entry = bound("train_step");
  place->finishStep();
  losses.clear();
  for (const Buffer<float> &result : entry.results)
    losses.push_back(result.empty() ? 0.0f : result[0]);
  return losses;
}

std::vector<std::string> Model::lossNames() const {
  std::vector<std::string> names;
  int index = info.findEntry("train_step");
  if (index >= 0)
    for (const ResultInfo &result : info.entries[static_cast<size_t>(index)].results)
      names.push_back(result.name);
  return names;
}

void Model::embed(Side side, std::span<const int32_t> rows, std::span<float> out) {
  Bound &entry = bound(side == Side::Query ? "embed_queries" : "embed_items");
  size_t argument = entry.firstArgument(ArgumentKind::Rows);
  size_t width = static_cast<size_t>(info.dim), chunk = static_cast<size_t>(entry.shape(argument)[0]);
  Buffer<int32_t> some(chunk);
  entry.set(argument, some.data(), {lengthOf(std::span(some))});
  for (size_t begin = 0; begin < rows.size(); begin += chunk) {
    size_t count = std::min(chunk, rows.size() - begin);
    // The batch is of fixed size: the last one is filled up with a row that is there in any case.
    std::fill(std::copy_n(rows.data() + begin, count, some.data()), some.data() + chunk, rows[begin]);
    call(entry);
    std::memcpy(out.data() + begin * width, entry.results[0].data(), count * width * sizeof(float));
  }
}

Buffer<float> Model::embedAll(Side side) {
  std::vector<int32_t> rows(
      static_cast<size_t>(data.entity(side == Side::Query ? info.query.entity : info.item.entity).rows));
  for (size_t i = 0; i < rows.size(); ++i)
    rows[i] = static_cast<int32_t>(i);
  Buffer<float> out(rows.size() * static_cast<size_t>(info.dim));
  embed(side, rows, out);
  return out;
}

void Model::score(std::span<const float> queries, std::span<const float> catalogue, const Excluded &excluded, int64_t k,
                  std::span<float> scores, std::span<int32_t> rows) {
  Bound &entry = bound("score");
  int64_t count = lengthOf(queries) / info.dim, items = lengthOf(catalogue) / info.dim;
  Buffer<float> queryCopy, catalogueCopy, bestScores(scores.size() + 1);
  Buffer<int32_t> bestRows(rows.size() + 1);
  entry.set(entry.firstArgument(ArgumentKind::Queries), aligned(queries, queryCopy), {count, info.dim});
  entry.set(entry.firstArgument(ArgumentKind::Catalogue), aligned(catalogue, catalogueCopy), {items, info.dim});
  entry.set(entry.firstArgument(ArgumentKind::ExcludeOffsets), excluded.offsets.data(),
            {lengthOf(std::span(excluded.offsets))});
  entry.set(entry.firstArgument(ArgumentKind::ExcludeRows), excluded.rows.data(), {lengthOf(std::span(excluded.rows))});
  entry.set(entry.firstResult(), bestScores.data(), {count, k});
  entry.set(entry.firstResult() + 1, bestRows.data(), {count, k});
  call(entry);
  std::copy_n(bestScores.begin(), scores.size(), scores.begin());
  std::copy_n(bestRows.begin(), rows.size(), rows.begin());
}
