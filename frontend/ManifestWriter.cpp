// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontend/ManifestWriter.h"
#include "dialect/Tower.h"
#include "frontend/ModelReader.h"
#include "frontend/Version.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <nlohmann/json.hpp>

using namespace mlir;
using Json = nlohmann::ordered_json;

namespace tower {

struct ManifestWriter::Document {
  Json json;
};

namespace {

constexpr int64_t tensorAlignment = 64; // bytes

std::string typeName(Type type) { return type.isF32() ? "f32" : "i" + std::to_string(type.getIntOrFloatBitWidth()); }

void setType(Json &json, Type type) {
  auto tensor = cast<RankedTensorType>(type);
  json["shape"] = Json::array();
  for (int64_t extent : tensor.getShape())
    json["shape"].push_back(ShapedType::isDynamic(extent) ? -1 : extent);
  json["dtype"] = typeName(tensor.getElementType());
}

// Glorot's bound is known here; the runtime draws a uniform distribution.
Json initOf(TensorOp tensor) {
  InitAttr init = tensor.getInit();
  Json json{{"kind", stringifyInitKind(init.getKind()).str()}};
  if (init.getKind() == InitKind::glorot) {
    auto shape = cast<RankedTensorType>(tensor.getType()).getShape();
    json["kind"] = "uniform";
    json["scale"] = static_cast<float>(std::sqrt(6.0 / static_cast<double>(shape[0] + shape[1])));
  } else {
    json["scale"] = init.getScale().convertToFloat();
  }
  json["seed"] = init.getSeed();
  if (DictionaryAttr source = tensor.getSourceAttr())
    for (NamedAttribute attribute : source)
      json[attribute.getName().str()] = cast<StringAttr>(attribute.getValue()).str();
  return json;
}

void setTensors(Json &json, ModuleOp module) {
  int64_t offset = 0;
  json["tensors"] = Json::array();
  for (auto tensor : module.getOps<TensorOp>()) {
    auto type = cast<RankedTensorType>(tensor.getType());
    Json entry{{"name", tensor.getSymName().str()}, {"role", stringifyRole(tensor.getRole()).str()}};
    entry["shape"] = type.getShape().vec();
    entry["offset"] = offset;
    entry["init"] = initOf(tensor);
    json["tensors"].push_back(std::move(entry));
    offset += llvm::alignTo(type.getNumElements() * 4, tensorAlignment);
  }
  json["tensor_bytes"] = offset;
}

// What the data must have. Where features of one column differ, the smaller capacity counts.
void setColumns(Json &json, ModelOp model, ModuleOp module) {
  std::map<std::pair<std::string, std::string>, Json> columns;
  llvm::StringSet<> used;
  for (auto function : module.getOps<func::FuncOp>())
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      if (auto key = function.getArgAttrOfType<DictionaryAttr>(i, "tower.argument"))
        if (key.getAs<StringAttr>("kind") == "column")
          used.insert(
              (key.getAs<StringAttr>("entity").getValue() + "/" + key.getAs<StringAttr>("column").getValue()).str());
  auto add = [&](EntityOp entity, StringRef column, Json entry) {
    if (!used.contains((entity.getSymName() + "/" + column).str()))
      return;
    auto [it, isNew] = columns.try_emplace({entity.getSymName().str(), column.str()}, entry);
    for (const char *bound : {"rows", "longest"})
      if (!isNew && entry.contains(bound))
        it->second[bound] = std::min(it->second[bound].get<int64_t>(), entry[bound].get<int64_t>());
  };
  auto rowsOf = [&](FlatSymbolRefAttr table) { return model.table(table).getRows(); };
  for (auto entity : model.getBody().getOps<EntityOp>())
    for (Operation &op : entity.getBody().getOps())
      llvm::TypeSwitch<Operation *>(&op)
          .Case([&](SingleFeatureOp f) {
            add(entity, f.getColumn(), {{"kind", "single"}, {"rows", rowsOf(f.getTableAttr())}});
          })
          .Case([&](MultiFeatureOp f) {
            add(entity, f.getColumn(),
                {{"kind", "multi"}, {"rows", rowsOf(f.getTableAttr())}, {"longest", f.getLongest()}});
          })
          .Case([&](DenseFeatureOp f) {
            add(entity, f.getColumn(), {{"kind", "dense"}, {"width", f.getWidth()}});
          });
  json["columns"] = Json::array();
  for (auto &[key, entry] : columns) {
    Json column{{"entity", key.first}, {"column", key.second}};
    column.update(entry);
    json["columns"].push_back(std::move(column));
  }
}

std::string columnOf(Operation *feature) {
  return llvm::TypeSwitch<Operation *, std::string>(feature).Case<SingleFeatureOp, MultiFeatureOp, DenseFeatureOp>(
      [](auto op) { return op.getColumn().str(); });
}

template <typename Loss> void setMask(Json &json, Loss loss, EncoderOp encoder) {
  if (loss.getMask() == Mask::none)
    return;
  auto entity = encoder->getParentOfType<ModelOp>().entity(encoder.getEntityAttr());
  Json features = Json::array();
  for (auto name : encoder.getFeatures().template getAsRange<FlatSymbolRefAttr>())
    features.push_back(columnOf(entity.lookupSymbol(name)));
  json["mask"] = {{"entity", encoder.getEntity().str()},
                  {"kind", stringifyMask(loss.getMask()).str()},
                  {"features", features},
                  {"mi", stringifyMutualInformation(loss.getMutualInformation()).str()}};
}

void setLosses(Json &json, ModelOp model) {
  json["losses"] = Json::array();
  auto add = [&](auto loss, const char *kind) -> Json & {
    json["losses"].push_back(
        {{"name", loss.getSymName().str()}, {"kind", kind}, {"weight", loss.getWeight().convertToFloat()}});
    return json["losses"].back();
  };
  auto encoder = [&](FlatSymbolRefAttr name) { return model.encoder(name); };
  for (Operation &op : model.getBody().getOps())
    llvm::TypeSwitch<Operation *>(&op)
        .Case([&](InBatchSoftmaxLossOp loss) {
          setMask(add(loss, "in_batch_softmax"), loss, encoder(loss.getItemAttr()));
        })
        .Case([&](ContrastiveLossOp loss) { setMask(add(loss, "contrastive"), loss, encoder(loss.getEncoderAttr())); })
        .Case([&](SpreadOutLossOp loss) { add(loss, "spread_out"); });
}

// The towers that answer queries are those of the first in-batch softmax.
void setTowers(Json &json, ModelOp model) {
  InBatchSoftmaxLossOp loss = *model.getBody().getOps<InBatchSoftmaxLossOp>().begin();
  auto query = model.encoder(loss.getQueryAttr());
  auto item = model.encoder(loss.getItemAttr());
  json["query"] = {{"tower", query.getSymName().str()}, {"entity", query.getEntity().str()}};
  json["item"] = {{"tower", item.getSymName().str()}, {"entity", item.getEntity().str()}};
  for (auto layer : item.getBody().getOps<LayerOp>())
    json["dim"] = layer.getUnits();
  json["normalized"] = item.getOutput() == Output::normalized;
}

void setTraining(Json &json, const spec::Training &training, ModelOp model) {
  auto any = [&](auto has) { return llvm::any_of(model.getBody().getOps<InBatchSoftmaxLossOp>(), has); };
  const spec::Schedule &schedule = training.schedule();
  json["training"] = {{"batch", training.batch()},
                      {"epochs", training.epochs()},
                      {"steps", training.steps()},
                      {"seed", training.seed()},
                      {"weighted", any([](InBatchSoftmaxLossOp loss) { return loss.getPairWeights(); })},
                      {"logq", any([](InBatchSoftmaxLossOp loss) { return loss.getLogQ(); })},
                      {"warmup_steps", schedule.warmup_steps()},
                      {"decay", schedule.decay() == spec::LINEAR   ? "linear"
                                : schedule.decay() == spec::COSINE ? "cosine"
                                                                   : "constant"},
                      {"final_fraction", schedule.final_fraction()},
                      {"validate_every_steps", training.validation().every_steps()},
                      {"patience", training.validation().patience()}};
}

// Arguments as their functions declare them; results that are not updated arguments.
void setEntries(Json &json, ModuleOp module) {
  json["entries"] = Json::array();
  for (auto function : module.getOps<func::FuncOp>()) {
    Json entry{{"name", function.getSymName().str()}, {"arena_bytes", 0}};
    entry["arguments"] = Json::array();
    entry["results"] = Json::array();
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      Json argument;
      auto key = function.getArgAttrOfType<DictionaryAttr>(i, "tower.argument");
      argument["kind"] = key.getAs<StringAttr>("kind").str();
      for (NamedAttribute attribute : key)
        argument[attribute.getName().str()] = cast<StringAttr>(attribute.getValue()).str();
      setType(argument, function.getArgument(i).getType());
      entry["arguments"].push_back(std::move(argument));
    }
    for (unsigned i = 0; i < function.getNumResults(); ++i)
      if (auto name = function.getResultAttrOfType<StringAttr>(i, "tower.result")) {
        Json result{{"name", name.str()}};
        setType(result, function.getResultTypes()[i]);
        entry["results"].push_back(std::move(result));
      }
    json["entries"].push_back(std::move(entry));
  }
}

} // namespace

ManifestWriter::ManifestWriter(const Spec &spec, ModuleOp module, ArrayRef<TargetDescription> targets,
                               bool runsOnProcessors)
    : document(std::make_unique<Document>()) {
  Json &json = document->json;
  ModelOp model = *module.getOps<ModelOp>().begin();
  json["towerc"] = version;
  json["name"] = spec.model.name();
  json["spec"] = spec.source;
  json["shape_hash"] = shapeHash(spec.model);
  json["options_hash"] = optionsHash(spec.model);
  json["triple"] = targets.front().triple;
  json["targets"] = Json::array();
  for (const TargetDescription &target : runsOnProcessors ? targets : targets.drop_back(targets.size()))
    json["targets"].push_back({{"cpu", target.cpu}, {"features", target.needs}});
  json["precision"] = spec.model.precision() == spec::BF16 ? "bf16" : "fp32";
  setTensors(json, module);
  setColumns(json, model, module);
  setTowers(json, model);
  setLosses(json, model);
  setTraining(json, spec.model.training(), model);
  setEntries(json, module);
}

ManifestWriter::~ManifestWriter() = default;

std::string ManifestWriter::write(const Arenas &arenaBytes, const Arenas &deviceBytes,
                                  const std::string &kernels) const {
  Json json = document->json;
  for (Json &entry : json["entries"])
    if (auto it = arenaBytes.find(entry["name"].get<std::string>()); it != arenaBytes.end())
      entry["arena_bytes"] = it->second;
  if (!deviceBytes.empty())
    json["cuda"] = {{"arena_bytes", deviceBytes}, {"kernels", Json::parse(kernels)}};
  return json.dump();
}

} // namespace tower
