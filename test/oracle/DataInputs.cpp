// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/oracle/DataInputs.h"
#include "dialect/Tower.h"
#include "runtime/Inputs.h"
#include "runtime/Tensors.h"

#include <cmath>

using namespace mlir;
using namespace tower;
using namespace tower::oracle;

template <typename T> static Tensor integers(std::span<const T> values) {
  return Tensor::ofIntegers({int64_t(values.size())}, {values.begin(), values.end()});
}

static Tensor reals(std::span<const float> values) {
  return Tensor::ofReals({int64_t(values.size())}, {values.begin(), values.end()});
}

// The columns of an encoder's features, in its order.
static std::vector<std::string> columnsOf(ModelOp model, EncoderOp encoder) {
  auto entity = model.entity(encoder.getEntityAttr());
  std::vector<std::string> columns;
  for (auto name : encoder.getFeatures().getAsRange<FlatSymbolRefAttr>())
    columns.push_back(entity.lookupSymbol(name)->getAttrOfType<StringAttr>("column").str());
  return columns;
}

static Tensor maskOrder(ModelOp model, FlatSymbolRefAttr tower, MutualInformation information,
                        const rt::Dataset &data) {
  auto encoder = model.encoder(tower);
  rt::MaskInfo mask;
  mask.entity = encoder.getEntity().str();
  mask.features = columnsOf(model, encoder);
  mask.corrected = information == MutualInformation::corrected;
  int64_t features = mask.features.size();
  Tensor order = integers(std::span<const int32_t>(rt::miOrder(mask, data)));
  order.shape = {features, features - 1};
  return order;
}

Inputs oracle::dataInputs(ModuleOp module, const rt::Dataset &data) {
  Inputs inputs;
  for (const rt::Entity &entity : data.entities()) {
    inputs["items/" + entity.name] = Tensor::scalar(entity.rows);
    for (const rt::Column &column : entity.columns) {
      std::string stem = "column/" + entity.name + "/" + column.name + "/";
      inputs[stem + "ids"] = integers(column.ids);
      inputs[stem + "offsets"] = integers(column.offsets);
      inputs[stem + "values"] = integers(column.values);
      Tensor numbers = reals(column.numbers);
      numbers.shape = {entity.rows, column.width};
      inputs[stem + "numbers"] = numbers;
    }
  }
  const rt::Pairs &pairs = data.pairs("train");
  inputs["pairs/query"] = integers(pairs.query);
  inputs["pairs/item"] = integers(pairs.item);
  inputs["pairs/weight"] = reals(pairs.weight);
  rt::Buffer<float> probabilities = rt::logProbabilities(pairs, data.entity(data.itemEntity()).rows);
  inputs["log_probability"] = reals(std::span<const float>(probabilities));
  for (auto model : module.getOps<ModelOp>()) {
    for (auto loss : model.getBody().getOps<ContrastiveLossOp>())
      if (loss.getMask() == Mask::correlated)
        inputs["mi_order/" + loss.getSymName().str()] =
            maskOrder(model, loss.getEncoderAttr(), loss.getMutualInformation(), data);
    for (auto loss : model.getBody().getOps<InBatchSoftmaxLossOp>())
      if (loss.getMask() == Mask::correlated)
        inputs["mi_order/" + loss.getSymName().str()] =
            maskOrder(model, loss.getItemAttr(), loss.getMutualInformation(), data);
  }
  return inputs;
}

// The moments of a dense column, as a model keeps them.
static std::vector<double> constant(TensorOp tensor, const rt::Dataset &data) {
  auto source = [&](StringRef key) { return tensor.getSource()->getAs<StringAttr>(key).str(); };
  const rt::Column *column = data.entity(source("entity")).find(source("column"));
  rt::Moments moments = rt::columnMoments(*column, source("scaling") == "log");
  return tensor.getInit().getKind() == InitKind::mean ? moments.mean : moments.deviation;
}

Inputs oracle::randomTensors(ModuleOp module, const rt::Dataset &data, Dice &dice) {
  Inputs inputs;
  for (auto tensor : module.getOps<TensorOp>()) {
    auto type = cast<RankedTensorType>(tensor.getType());
    StringRef name = tensor.getSymName();
    std::vector<double> values;
    // Of a weight's deviation it depends whether later layers see anything.
    double deviation = type.getRank() == 2 && name.starts_with("tower/") ? 1 / std::sqrt(type.getDimSize(0)) : 0.4;
    for (int64_t i = 0; i < type.getNumElements(); ++i) {
      if (tensor.getRole() == Role::parameter)
        values.push_back(deviation * dice.normal());
      else if (name.ends_with("/adam/m"))
        values.push_back(0.02 * dice.normal());
      else // accumulators, adam's squares
        values.push_back(dice.between(0.05, 0.5));
    }
    if (tensor.getRole() == Role::constant)
      values = constant(tensor, data);
    for (double &value : values)
      value = float(value);
    inputs["tensor/" + name.str()] = Tensor::ofReals(type.getShape().vec(), values);
  }
  return inputs;
}
