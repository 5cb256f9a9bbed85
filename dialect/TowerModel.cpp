// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The declared model: finding its parts by name, and that they fit together.

#include "dialect/Tower.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tower;

template <typename Part> static Part find(ModelOp model, FlatSymbolRefAttr name) {
  for (auto part : model.getBody().getOps<Part>())
    if (part.getSymName() == name.getValue())
      return part;
  return {};
}

TableOp ModelOp::table(FlatSymbolRefAttr name) { return find<TableOp>(*this, name); }
EntityOp ModelOp::entity(FlatSymbolRefAttr name) { return find<EntityOp>(*this, name); }
EncoderOp ModelOp::encoder(FlatSymbolRefAttr name) { return find<EncoderOp>(*this, name); }
TrainingOp ModelOp::training() { return *getBody().getOps<TrainingOp>().begin(); }

// Losses are one kind, whatever they compute.
static StringRef kindOf(Operation *part) {
  if (isa<InBatchSoftmaxLossOp, ContrastiveLossOp, SpreadOutLossOp>(part))
    return "loss";
  return part->getName().stripDialect();
}

static LogicalResult verifyUniqueNames(ModelOp model) {
  llvm::StringMap<Operation *> parts;
  for (Operation &part : model.getBody().getOps()) {
    auto name = part.getAttrOfType<StringAttr>(SymbolTable::getSymbolAttrName());
    if (!name)
      continue;
    auto [it, isNew] = parts.try_emplace((kindOf(&part) + " @" + name.getValue()).str(), &part);
    if (!isNew) {
      InFlightDiagnostic error = part.emitOpError() << "is the second " << it->first();
      error.attachNote(it->second->getLoc()) << "the first is here";
      return error;
    }
  }
  return success();
}

template <typename Part>
static LogicalResult exists(Operation *user, Part part, StringRef kind, FlatSymbolRefAttr name) {
  if (part)
    return success();
  return user->emitOpError() << "refers to " << kind << " " << name << ", which is not in the model";
}

static LogicalResult verifyEncoder(ModelOp model, EncoderOp encoder) {
  EntityOp entity = model.entity(encoder.getEntityAttr());
  if (failed(exists(encoder, entity, "entity", encoder.getEntityAttr())))
    return failure();
  for (auto name : encoder.getFeatures().getAsRange<FlatSymbolRefAttr>())
    if (!entity.lookupSymbol(name))
      return encoder.emitOpError() << "refers to feature " << name << ", which entity " << encoder.getEntityAttr()
                                   << " does not have";
  if (encoder.getBody().getOps<LayerOp>().empty())
    return encoder.emitOpError("needs a layer");
  return success();
}

static LogicalResult verifyFeatures(ModelOp model, EntityOp entity) {
  for (Operation &feature : entity.getBody().getOps())
    if (auto table = feature.getAttrOfType<FlatSymbolRefAttr>("table"))
      if (failed(exists(&feature, model.table(table), "table", table)))
        return failure();
  return success();
}

LogicalResult ModelOp::verifyRegions() {
  if (!llvm::hasSingleElement(getBody().getOps<TrainingOp>()))
    return emitOpError("needs exactly one tower.training");
  if (failed(verifyUniqueNames(*this)))
    return failure();
  auto encoderExists = [&](Operation *loss, FlatSymbolRefAttr name) {
    return exists(loss, encoder(name), "encoder", name);
  };
  for (Operation &part : getBody().getOps()) {
    LogicalResult result =
        llvm::TypeSwitch<Operation *, LogicalResult>(&part)
            .Case([&](EntityOp op) { return verifyFeatures(*this, op); })
            .Case([&](EncoderOp op) { return verifyEncoder(*this, op); })
            .Case([&](InBatchSoftmaxLossOp op) {
              return success(succeeded(encoderExists(op, op.getQueryAttr())) &&
                             succeeded(encoderExists(op, op.getItemAttr())));
            })
            .Case<ContrastiveLossOp, SpreadOutLossOp>([&](auto op) { return encoderExists(op, op.getEncoderAttr()); })
            .Default([](Operation *) { return success(); });
    if (failed(result))
      return failure();
  }
  return success();
}
