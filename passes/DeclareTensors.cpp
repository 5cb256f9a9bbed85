// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which tensors a model keeps between steps: names, shapes, first values.

#include "passes/BuildStep.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tower;

namespace {

class Declarer {
public:
  Declarer(ModelOp model, OpBuilder &builder) : model(model), builder(builder), training(model.training()) {}

  SmallVector<std::string> run();

private:
  ModelOp model;
  OpBuilder &builder;
  TrainingOp training;
  SmallVector<std::string> parameters;
  llvm::StringSet<> declared;

  InitAttr init(InitKind kind, float scale = 0, uint32_t seed = 0) {
    return InitAttr::get(builder.getContext(), kind, llvm::APFloat(scale), seed);
  }
  void tensor(Location loc, const std::string &name, Role role, ArrayRef<int64_t> shape, InitAttr init,
              DictionaryAttr source = {});
  void parameter(Location loc, const std::string &name, ArrayRef<int64_t> shape, InitAttr init, OptimizerKind optimizer,
                 DictionaryAttr options);
  void dense(Location loc, const std::string &name, ArrayRef<int64_t> shape, InitAttr init) {
    parameter(loc, name, shape, init, training.getDense(), training.getDenseOptions());
  }
  int64_t feature(EntityOp entity, Operation *feature);
  void encoder(EncoderOp encoder);
};

} // namespace

void Declarer::tensor(Location loc, const std::string &name, Role role, ArrayRef<int64_t> shape, InitAttr init,
                      DictionaryAttr source) {
  auto type = RankedTensorType::get(shape, builder.getF32Type());
  TensorOp::create(builder, loc, builder.getStringAttr(name), RoleAttr::get(builder.getContext(), role),
                   TypeAttr::get(type), init, source);
}

// A parameter and the slots of its optimizer.
void Declarer::parameter(Location loc, const std::string &name, ArrayRef<int64_t> shape, InitAttr init,
                         OptimizerKind optimizer, DictionaryAttr options) {
  tensor(loc, name, Role::parameter, shape, init);
  parameters.push_back(name);
  auto initial = [&] {
    float value = options.getAs<FloatAttr>("initial").getValue().convertToFloat();
    return this->init(InitKind::constant, value);
  };
  switch (optimizer) {
  case OptimizerKind::sgd:
    return;
  case OptimizerKind::adagrad:
    return tensor(loc, name + "/adagrad", Role::slot, shape, initial());
  case OptimizerKind::rowwise_adagrad:
    return tensor(loc, name + "/rowwise_adagrad", Role::slot, shape.take_front(), initial());
  case OptimizerKind::adam:
    tensor(loc, name + "/adam/m", Role::slot, shape, this->init(InitKind::zero));
    return tensor(loc, name + "/adam/v", Role::slot, shape, this->init(InitKind::zero));
  }
}

// Declares what a feature needs, once however many encoders use it. Returns its width in a first layer.
int64_t Declarer::feature(EntityOp entity, Operation *feature) {
  if (auto op = dyn_cast<DenseFeatureOp>(feature)) {
    std::string stem = ("entity/" + entity.getSymName() + "/" + op.getSymName()).str();
    if (op.getScaling() != Scaling::none && declared.insert(stem).second) {
      bool log = op.getScaling() == Scaling::log_standardized;
      auto source = builder.getDictionaryAttr(
          {builder.getNamedAttr("entity", entity.getSymNameAttr()), builder.getNamedAttr("column", op.getColumnAttr()),
           builder.getNamedAttr("scaling", builder.getStringAttr(log ? "log" : "linear"))});
      int64_t width = op.getWidth();
      tensor(op.getLoc(), stem + "/mean", Role::constant, width, init(InitKind::mean), source);
      tensor(op.getLoc(), stem + "/deviation", Role::constant, width, init(InitKind::deviation), source);
    }
    return op.getWidth();
  }
  auto name = isa<SingleFeatureOp>(feature) ? cast<SingleFeatureOp>(feature).getTableAttr()
                                            : cast<MultiFeatureOp>(feature).getTableAttr();
  auto table = model.table(name);
  if (declared.insert("table/" + table.getSymName().str()).second)
    parameter(table.getLoc(), "table/" + table.getSymName().str(),
              {static_cast<int64_t>(table.getRows()), static_cast<int64_t>(table.getDim())}, table.getInit(),
              training.getTables(), training.getTableOptions());
  return table.getDim();
}

void Declarer::encoder(EncoderOp encoder) {
  auto entity = model.entity(encoder.getEntityAttr());
  std::string stem = "tower/" + encoder.getSymName().str();
  int64_t width = 0;
  bool masked = isMasked(encoder);
  for (auto name : encoder.getFeatures().getAsRange<FlatSymbolRefAttr>()) {
    Operation *op = entity.lookupSymbol(name);
    int64_t featureWidth = feature(entity, op);
    if (masked)
      dense(op->getLoc(), stem + "/default/" + name.getValue().str(), featureWidth, init(InitKind::zero));
    width += featureWidth;
  }
  for (auto [i, layer] : llvm::enumerate(encoder.getBody().getOps<LayerOp>())) {
    std::string name = stem + "/layer" + std::to_string(i);
    int64_t units = layer.getUnits();
    dense(layer.getLoc(), name + "/weight", {width, units}, layer.getInit());
    if (layer.getBias())
      dense(layer.getLoc(), name + "/bias", units, init(InitKind::zero));
    width = units;
  }
}

SmallVector<std::string> Declarer::run() {
  llvm::SetVector<Operation *> encoders;
  auto use = [&](FlatSymbolRefAttr name) { encoders.insert(model.encoder(name)); };
  for (Operation &op : model.getBody().getOps())
    llvm::TypeSwitch<Operation *>(&op)
        .Case([&](InBatchSoftmaxLossOp loss) {
          use(loss.getQueryAttr());
          use(loss.getItemAttr());
        })
        .Case([&](ContrastiveLossOp loss) { use(loss.getEncoderAttr()); })
        .Case([&](SpreadOutLossOp loss) { use(loss.getEncoderAttr()); });
  for (Operation *op : encoders)
    encoder(cast<EncoderOp>(op));
  return std::move(parameters);
}

SmallVector<std::string> tower::declareTensors(ModelOp model, OpBuilder &builder) {
  return Declarer(model, builder).run();
}

bool tower::isMasked(EncoderOp encoder) {
  auto model = encoder->getParentOfType<ModelOp>();
  for (auto loss : model.getBody().getOps<InBatchSoftmaxLossOp>())
    if (loss.getMask() != Mask::none && loss.getItem() == encoder.getSymName())
      return true;
  for (auto loss : model.getBody().getOps<ContrastiveLossOp>())
    if (loss.getMask() != Mask::none && loss.getEncoder() == encoder.getSymName())
      return true;
  return false;
}
