// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Hashes of a complete model: of its shape, which a checkpoint must match, and of its training options, which it may
// leave. Both are FNV-1a of a canonical text; the parts are disjoint and together are the whole model, save max_values
// (the size of a buffer).
#include "frontend/ModelReader.h"
#include "frontend/SpecSteps.h"

#include <google/protobuf/text_format.h>

namespace tower {

using namespace spec;

static std::string hashText(const std::string &text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (unsigned char c : text)
    hash = (hash ^ c) * 0x100000001b3u;
  std::string digits;
  for (int shift = 60; shift >= 0; shift -= 4)
    digits += "0123456789abcdef"[hash >> shift & 15];
  return digits;
}

static std::string canonicalText(const google::protobuf::Message &message) {
  google::protobuf::TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  std::string text;
  printer.PrintToString(message, &text);
  return text;
}

std::string shapeHash(const Model &model) {
  Model shape;
  *shape.mutable_tables() = model.tables();
  *shape.mutable_entities() = model.entities();
  *shape.mutable_towers() = model.towers();
  for (Table &table : *shape.mutable_tables())
    table.clear_initializer();
  for (Entity &entity : *shape.mutable_entities())
    for (Feature &feature : *entity.mutable_features())
      if (feature.has_multi())
        feature.mutable_multi()->clear_max_values();
  for (Tower &tower : *shape.mutable_towers())
    for (Layer &layer : *tower.mutable_layers())
      layer.clear_initializer();
  std::set<std::string> masked;
  for (const Loss &loss : model.losses()) {
    if (loss.has_in_batch_softmax() && loss.in_batch_softmax().augmentation().mask() != NO_MASK)
      masked.insert(loss.in_batch_softmax().item());
    if (loss.has_contrastive() && loss.contrastive().augmentation().mask() != NO_MASK)
      masked.insert(loss.contrastive().tower());
  }
  std::string text = canonicalText(shape);
  for (const std::string &tower : masked)
    text += "masked: " + tower + " ";
  return hashText(text + "slots: " + std::to_string(model.training().tables().kind_case()) + " " +
                  std::to_string(model.training().dense().kind_case()));
}

std::string optionsHash(const Model &model) {
  Model options;
  *options.mutable_losses() = model.losses();
  *options.mutable_training() = model.training();
  if (model.precision() != FP32)
    options.set_precision(model.precision());
  for (const Table &table : model.tables())
    *options.add_tables()->mutable_initializer() = table.initializer();
  for (const Tower &tower : model.towers()) {
    Tower &copy = *options.add_towers();
    for (const Layer &layer : tower.layers())
      *copy.add_layers()->mutable_initializer() = layer.initializer();
  }
  return hashText(canonicalText(options));
}

} // namespace tower
