// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writing a dataset so that nothing half-written is ever seen under its name.
#include "frontend/DatasetFolder.h"

#include "runtime/Error.h"
#include "runtime/Npy.h"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>

using namespace tower;
namespace fs = std::filesystem;

data::Dataset tower::describe(const Imported &imported) {
  data::Dataset dataset;
  for (const auto &[name, vocabulary] : imported.vocabularies) {
    data::VocabularyInfo &info = *dataset.add_vocabularies();
    info.set_name(name);
    info.set_rows(vocabulary.rows());
  }
  for (const ImportedEntity &entity : imported.entities) {
    data::EntityInfo &info = *dataset.add_entities();
    info.set_name(entity.name);
    info.set_rows(static_cast<uint32_t>(entity.keys.size()));
    for (const ImportedColumn &column : entity.columns)
      *info.add_columns() = column.info;
  }
  for (size_t i = 0; i < splitNames.size(); ++i) {
    data::PairInfo &info = *dataset.add_pairs();
    info.set_split(splitNames[i]);
    info.set_rows(static_cast<uint32_t>(imported.pairs[i].query.size()));
    info.set_weighted(!imported.pairs[i].weight.empty());
    info.set_timed(!imported.pairs[i].time.empty());
  }
  dataset.set_query_entity(imported.queryEntity);
  dataset.set_item_entity(imported.itemEntity);
  return dataset;
}

namespace {

/// Writes file after file. Throws rt::Error.
class FolderWriter {
public:
  explicit FolderWriter(std::string folder) : folder(std::move(folder)) {}

  void makeFolder(const std::string &name) {
    std::error_code code;
    fs::create_directories(folder + name, code);
    if (code)
      throw rt::Error(folder + name + ": cannot be created: " + code.message());
  }
  template <typename T>
  void array(const std::string &name, const std::vector<T> &elements, const std::vector<int64_t> &shape) {
    rt::writeNpy<T>(folder + name, elements, shape);
  }
  template <typename T> void array(const std::string &name, const std::vector<T> &elements) {
    array(name, elements, {static_cast<int64_t>(elements.size())});
  }
  /// `line(i)` is the text of line i.
  template <typename Line> void lines(const std::string &name, int64_t count, Line line) {
    rt::replaceFile(folder + name, [&](rt::FileWriter &file) {
      for (int64_t i = 0; i < count; ++i) {
        file.write(line(static_cast<size_t>(i)));
        file.write("\n");
      }
    });
  }

private:
  std::string folder; // ends in "/"
};

} // namespace

static void writeColumn(FolderWriter &writer, const std::string &stem, const ImportedColumn &column, int64_t rows) {
  switch (column.info.kind()) {
  case data::SINGLE:
    writer.array(stem + ".npy", column.ids);
    return;
  case data::MULTI:
    writer.array(stem + ".values.npy", column.ids);
    writer.array(stem + ".offsets.npy", column.offsets);
    return;
  default:
    writer.array(stem + ".npy", column.numbers, {rows, static_cast<int64_t>(column.info.width())});
  }
}

static void writeFiles(const Imported &imported, const std::string &folder) {
  FolderWriter writer(folder);
  writer.makeFolder("vocab");
  for (const auto &[name, vocabulary] : imported.vocabularies)
    writer.lines("vocab/" + name + ".txt", vocabulary.rows(),
                 [&](size_t row) -> const std::string & { return vocabulary.text(static_cast<uint32_t>(row)); });
  for (const ImportedEntity &entity : imported.entities) {
    writer.makeFolder(entity.name);
    writer.lines(entity.name + "/keys.txt", entity.keys.size(),
                 [&](size_t row) -> const std::string & { return entity.keys[row]; });
    for (const ImportedColumn &column : entity.columns)
      writeColumn(writer, entity.name + "/" + column.info.name(), column, entity.keys.size());
  }
  writer.makeFolder("pairs");
  for (size_t i = 0; i < splitNames.size(); ++i) {
    const ImportedPairs &pairs = imported.pairs[i];
    std::string stem = std::string("pairs/") + splitNames[i];
    writer.array(stem + ".query.npy", pairs.query);
    writer.array(stem + ".item.npy", pairs.item);
    if (!pairs.weight.empty())
      writer.array(stem + ".weight.npy", pairs.weight);
    if (!pairs.time.empty())
      writer.array(stem + ".time.npy", pairs.time);
  }

  data::Dataset dataset = describe(imported);
  std::string text, json;
  google::protobuf::TextFormat::PrintToString(dataset, &text);
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  if (!google::protobuf::util::MessageToJsonString(dataset, &json, options).ok())
    throw rt::Error(folder + "schema.json: cannot be made from the schema");
  writer.lines("schema.txtpb", 1,
               [&](size_t) { return "# proto-file: frontend/data.proto\n# proto-message: Dataset\n" + text; });
  writer.lines("schema.json", 1, [&](size_t) { return json; });
}

std::string tower::writeDataset(const Imported &imported, const std::string &folder) {
  std::string target = folder;
  while (target.size() > 1 && target.ends_with('/'))
    target.pop_back();
  std::error_code code;
  bool exists = fs::exists(target, code);
  if (exists && !fs::is_empty(target, code) && !fs::exists(target + "/schema.txtpb", code))
    return target + ": exists and is not a dataset; remove it or choose another folder";

  // A folder of this name is what is left of an import that was killed.
  std::string temporary = target + ".importing";
  fs::remove_all(temporary, code);
  fs::create_directories(temporary, code);
  if (code)
    return temporary + ": cannot create: " + code.message();
  std::string error;
  try {
    writeFiles(imported, temporary + "/");
  } catch (const rt::Error &failure) {
    error = failure.what();
  }
  if (error.empty()) {
    // Exchanged in one step, so that there is always a whole dataset under the name.
    if (!exists)
      fs::rename(temporary, target, code);
    else if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) != 0)
      code = std::error_code(errno, std::generic_category());
    if (code)
      error = target + ": cannot put the new dataset there: " + code.message();
  }
  fs::remove_all(temporary, code);
  return error;
}
