// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checkpoints: 8 bytes with the size of a JSON header (little-endian), the header, the tensors' bytes one after the
// other.
#include "runtime/Checkpoint.h"

#include "runtime/Error.h"
#include "runtime/File.h"
#include "runtime/Json.h"

#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace tower::rt;

static_assert(std::endian::native == std::endian::little, "checkpoints are little-endian and written as they are");

namespace {

const std::string extraPrefix = "trainer/";

/// A mapped checkpoint whose header was read and whose tensors lie inside the file.
struct Parsed {
  MappedFile file;
  Json header;
  const char *data = nullptr;
};

[[noreturn]] void incomplete(const std::string &path, const std::string &why) {
  throw Error(path + ": is not a complete checkpoint: " + why);
}

Parsed parse(const std::string &path) {
  Parsed parsed{MappedFile(path), {}, nullptr};
  std::string_view text = parsed.file.text();
  if (text.size() < 8)
    incomplete(path, "it has " + std::to_string(text.size()) + " bytes");
  uint64_t size;
  std::memcpy(&size, text.data(), 8);
  if (size > text.size() - 8)
    incomplete(path, "its header does not end in the file");
  parsed.header = Json::parse(text.substr(8, size), nullptr, false);
  if (!parsed.header.is_object() || !parsed.header.contains("__metadata__"))
    incomplete(path, "its header is not that of a checkpoint");
  parsed.data = text.data() + 8 + size;
  uint64_t end = 0;
  for (const auto &[name, tensor] : parsed.header.items()) {
    if (name == "__metadata__")
      continue;
    std::vector<JsonView> offsets = JsonView(tensor, path + ": " + name).field("data_offsets").elements();
    if (offsets.size() != 2 || offsets[0].asInteger() < 0 || offsets[1].asInteger() < offsets[0].asInteger())
      incomplete(path, "tensor '" + name + "' has impossible offsets");
    end = std::max(end, static_cast<uint64_t>(offsets[1].asInteger()));
  }
  if (end != text.size() - 8 - size)
    incomplete(path, "it has " + std::to_string(text.size() - 8 - size) + " bytes of tensors, but its header lists " +
                         std::to_string(end));
  return parsed;
}

CheckpointInfo readInfo(const Parsed &parsed) {
  JsonView view(parsed.header["__metadata__"], parsed.file.path() + ": __metadata__");
  CheckpointInfo info;
  info.step = view.integer("step");
  info.seed = static_cast<uint64_t>(view.integer("seed"));
  info.bestMetric = std::strtod(view.text("best_metric").c_str(), nullptr);
  info.name = view.text("name");
  info.spec = view.text("spec");
  info.shapeHash = view.text("shape_hash");
  info.optionsHash = view.text("options_hash");
  info.dataFingerprint = view.text("data_fingerprint");
  info.firstValues = info.step == 0 && parsed.header.size() == 1;
  for (const auto &[key, value] : parsed.header["__metadata__"].items())
    if (key.starts_with(extraPrefix) && value.is_string())
      info.extra[key.substr(extraPrefix.size())] = value.get<std::string>();
  return info;
}

Json metadataOf(const CheckpointInfo &info) {
  char metric[40];
  std::snprintf(metric, sizeof(metric), "%.17g", info.bestMetric);
  Json metadata = {{"step", std::to_string(info.step)},
                   {"seed", std::to_string(static_cast<int64_t>(info.seed))},
                   {"best_metric", metric},
                   {"name", info.name},
                   {"spec", info.spec},
                   {"shape_hash", info.shapeHash},
                   {"options_hash", info.optionsHash},
                   {"data_fingerprint", info.dataFingerprint}};
  for (const auto &[key, value] : info.extra)
    metadata[extraPrefix + key] = value;
  return metadata;
}

void writeHeader(FileWriter &file, const Json &header) {
  // Bytes that are no UTF-8 (in the spec's comments, say) are replaced rather than refused.
  std::string text = header.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');
  uint64_t size = text.size();
  file.write(&size, sizeof(size));
  file.write(text);
}

} // namespace

CheckpointInfo tower::rt::checkpointInfo(const Manifest &manifest, const std::string &dataFingerprint) {
  CheckpointInfo info;
  info.name = manifest.name;
  info.spec = manifest.spec;
  info.shapeHash = manifest.shapeHash;
  info.optionsHash = manifest.optionsHash;
  info.dataFingerprint = dataFingerprint;
  return info;
}

void tower::rt::saveCheckpoint(const std::string &path, const Tensors &tensors, const CheckpointInfo &info) {
  Json header = {{"__metadata__", metadataOf(info)}};
  size_t offset = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    size_t end = offset + tensors[i].size_bytes();
    header[tensors.info(i).name] = {
        {"dtype", "F32"}, {"shape", tensors.info(i).shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  replaceFile(path, [&](FileWriter &file) {
    writeHeader(file, header);
    for (size_t i = 0; i < tensors.size(); ++i)
      file.write(tensors[i].data(), tensors[i].size_bytes());
  });
}

void tower::rt::saveStart(const std::string &path, const CheckpointInfo &info) {
  Json header = {{"__metadata__", metadataOf(info)}};
  replaceFile(path, [&](FileWriter &file) { writeHeader(file, header); });
}

CheckpointInfo tower::rt::readCheckpointInfo(const std::string &path) { return readInfo(parse(path)); }

CheckpointInfo tower::rt::loadCheckpoint(const std::string &path, const Manifest &manifest, const Tensors &tensors) {
  Parsed parsed = parse(path);
  CheckpointInfo info = readInfo(parsed);
  if (info.shapeHash != manifest.shapeHash)
    throw Error(path + ": belongs to a model of another shape ('" + info.name + "', " + info.shapeHash +
                "); this program is '" + manifest.name + "', " + manifest.shapeHash +
                ": use the program that trained it, or train again");
  if (info.firstValues)
    return info;
  std::vector<const char *> sources;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorInfo &wanted = tensors.info(i);
    JsonView view = JsonView(parsed.header, path).field(wanted.name.c_str());
    Shape shape;
    for (const JsonView &dim : view.field("shape").elements())
      shape.push_back(dim.asInteger());
    std::vector<JsonView> offsets = view.field("data_offsets").elements();
    int64_t begin = offsets[0].asInteger(), bytes = offsets[1].asInteger() - begin;
    if (view.text("dtype") != "F32" || shape != wanted.shape || bytes != 4 * wanted.count())
      view.fail("is " + view.text("dtype") + " of shape " + shapeText(shape) + ", but the model has F32 of shape " +
                shapeText(wanted.shape));
    sources.push_back(parsed.data + begin);
  }
  for (size_t i = 0; i < tensors.size(); ++i)
    std::memcpy(tensors[i].data(), sources[i], tensors[i].size_bytes());
  return info;
}
