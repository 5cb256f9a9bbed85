// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Random datasets.

#include "test/oracle/Generator.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>
#include <nlohmann/json.hpp>
#include <numbers>

using namespace tower;
using namespace tower::oracle;

double Dice::normal() {
  double radius = std::sqrt(-2 * std::log(1 - real() * 0.9996));
  return radius * std::cos(2 * std::numbers::pi * real());
}

namespace {

class DataWriter {
public:
  DataWriter(Dice &dice, const std::string &folder) : dice(dice), folder(folder + "/") {}
  data::Dataset write();

private:
  void vocabulary(const std::string &name);
  void entity(const std::string &name);
  void single(data::EntityInfo &entity, data::ColumnInfo &column);
  void multi(data::EntityInfo &entity, data::ColumnInfo &column);
  void numbers(data::EntityInfo &entity, data::ColumnInfo &column);
  void mutualInformation(const data::EntityInfo &entity);
  void pairs(const std::string &split, uint32_t rows, bool weighted);

  /// A value of a vocabulary: 0 is missing, low ones are frequent.
  int32_t skewed(int64_t rows) { return int32_t(rows * dice.real() * dice.real()); }
  const data::VocabularyInfo &anyVocabulary() {
    return data.vocabularies(dice.between(int64_t{0}, data.vocabularies_size() - 1));
  }
  template <typename T>
  void npy(const std::string &file, const std::vector<T> &values, const std::vector<int64_t> &shape);
  void lines(const std::string &file, const std::string &stem, uint32_t rows, bool firstIsEmpty);
  // Plainly, without the product's fsync: there are many small files.
  void text(const std::string &file, const std::string &text) {
    std::ofstream(folder + file, std::ios::binary) << text;
  }

  Dice &dice;
  std::string folder;
  data::Dataset data;
};

template <typename T>
void DataWriter::npy(const std::string &file, const std::vector<T> &values, const std::vector<int64_t> &shape) {
  std::string header = std::string("{'descr': '<") + (std::is_integral_v<T> ? "i" : "f") + std::to_string(sizeof(T)) +
                       "', 'fortran_order': False, 'shape': (";
  for (int64_t extent : shape)
    header += std::to_string(extent) + ", ";
  header += "), }";
  header.resize((header.size() + 11) / 64 * 64 + 53, ' '); // with magic, version and length a multiple of 64
  header += "\n";
  std::string bytes = std::string("\x93NUMPY\x01\x00", 8) + char(header.size() % 256) + char(header.size() / 256);
  bytes += header;
  bytes.append(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(T));
  text(file, bytes);
}

void DataWriter::lines(const std::string &file, const std::string &stem, uint32_t rows, bool firstIsEmpty) {
  std::string all;
  for (uint32_t row = 0; row < rows; ++row)
    all += (firstIsEmpty && row == 0 ? "" : stem + std::to_string(row)) + "\n";
  text(file, all);
}

void DataWriter::vocabulary(const std::string &name) {
  data::VocabularyInfo &info = *data.add_vocabularies();
  info.set_name(name);
  info.set_rows(dice.between(int64_t{2}, int64_t{30}));
  lines("vocab/" + name + ".txt", name, info.rows(), /*firstIsEmpty=*/true);
}

void DataWriter::single(data::EntityInfo &entity, data::ColumnInfo &column) {
  column.set_kind(data::SINGLE);
  const data::VocabularyInfo &vocabulary = anyVocabulary();
  column.set_vocabulary(vocabulary.name());
  std::vector<int32_t> ids;
  for (uint32_t row = 0; row < entity.rows(); ++row)
    ids.push_back(skewed(vocabulary.rows()));
  npy(entity.name() + "/" + column.name() + ".npy", ids, {entity.rows()});
}

void DataWriter::multi(data::EntityInfo &entity, data::ColumnInfo &column) {
  column.set_kind(data::MULTI);
  const data::VocabularyInfo &vocabulary = anyVocabulary();
  column.set_vocabulary(vocabulary.name());
  int64_t longest = dice.chance(0.05) ? 0 : dice.between(int64_t{1}, int64_t{6});
  std::vector<int64_t> offsets = {0};
  std::vector<int32_t> values;
  int64_t found = 0;
  for (uint32_t row = 0; row < entity.rows(); ++row) {
    int64_t count = dice.chance(0.2) ? 0 : dice.between(int64_t{0}, longest);
    found = std::max(found, count);
    for (int64_t j = 0; j < count; ++j) // the same value may come twice
      values.push_back(std::max(skewed(vocabulary.rows()), 1));
    offsets.push_back(values.size());
  }
  column.set_longest(found);
  column.set_total(values.size());
  npy(entity.name() + "/" + column.name() + ".values.npy", values, {int64_t(values.size())});
  npy(entity.name() + "/" + column.name() + ".offsets.npy", offsets, {entity.rows() + 1});
}

void DataWriter::numbers(data::EntityInfo &entity, data::ColumnInfo &column) {
  column.set_kind(data::DENSE);
  column.set_width(dice.chance(0.5) ? 1 : dice.between(int64_t{2}, int64_t{7}));
  bool constant = dice.chance(0.1);
  std::vector<float> values;
  for (uint32_t i = 0; i < entity.rows() * column.width(); ++i) // above -1, so that any scaling may be asked for
    values.push_back(constant ? 0.5f : float(std::exp(0.6 * dice.normal()) - 0.75));
  npy(entity.name() + "/" + column.name() + ".npy", values, {entity.rows(), column.width()});
}

void DataWriter::entity(const std::string &name) {
  data::EntityInfo &entity = *data.add_entities();
  entity.set_name(name);
  entity.set_rows(dice.between(int64_t{3}, int64_t{40}));
  std::filesystem::create_directory(folder + name);
  lines(name + "/keys.txt", name, entity.rows(), /*firstIsEmpty=*/false);
  int64_t columns = dice.between(int64_t{3}, int64_t{6});
  for (int64_t c = 0; c < columns; ++c) {
    data::ColumnInfo &column = *entity.add_columns();
    column.set_name("c" + std::to_string(c));
    double kind = dice.real();
    if (kind < 0.35)
      single(entity, column);
    else if (kind < 0.75)
      multi(entity, column);
    else
      numbers(entity, column);
  }
  mutualInformation(entity);
}

void DataWriter::mutualInformation(const data::EntityInfo &entity) {
  nlohmann::json json;
  for (const data::ColumnInfo &column : entity.columns())
    json["features"].push_back(column.name());
  for (const char *kind : {"plugin", "shuffled", "corrected"}) {
    std::vector<std::vector<double>> matrix(entity.columns_size(), std::vector<double>(entity.columns_size()));
    for (int i = 0; i < entity.columns_size(); ++i)
      for (int j = 0; j <= i; ++j) // few different numbers: ties
        matrix[i][j] = matrix[j][i] = dice.between(int64_t{0}, int64_t{9}) / 8.0;
    json[kind] = matrix;
  }
  text(entity.name() + "/mi.json", json.dump(1) + "\n");
}

void DataWriter::pairs(const std::string &split, uint32_t rows, bool weighted) {
  data::PairInfo &info = *data.add_pairs();
  info.set_split(split);
  info.set_rows(rows);
  info.set_weighted(weighted);
  auto rowsOf = [&](const std::string &name) {
    for (const data::EntityInfo &entity : data.entities())
      if (entity.name() == name)
        return int64_t(entity.rows());
    return int64_t{0};
  };
  int64_t queries = rowsOf(data.query_entity()), items = rowsOf(data.item_entity());
  std::vector<int32_t> query, item;
  std::vector<float> weight;
  for (uint32_t i = 0; i < rows; ++i) {
    query.push_back(dice.between(int64_t{0}, queries - 1));
    item.push_back(skewed(items));
    weight.push_back(dice.between(0.1, 3.0));
  }
  npy("pairs/" + split + ".query.npy", query, {rows});
  npy("pairs/" + split + ".item.npy", item, {rows});
  if (weighted)
    npy("pairs/" + split + ".weight.npy", weight, {rows});
}

data::Dataset DataWriter::write() {
  for (const char *name : {"vocab", "pairs"})
    std::filesystem::create_directories(folder + name);
  int64_t vocabularies = dice.between(int64_t{2}, int64_t{4});
  for (int64_t v = 0; v < vocabularies; ++v)
    vocabulary("v" + std::to_string(v));
  bool one = dice.chance(0.5);
  entity(one ? "package" : "user");
  if (!one)
    entity("item");
  data.set_query_entity(one ? "package" : "user");
  data.set_item_entity(one ? "package" : "item");
  bool weighted = dice.chance(0.6);
  pairs("train", dice.between(int64_t{20}, int64_t{90}), weighted);
  pairs("validation", 7, weighted);
  pairs("test", 5, weighted);

  std::string schema, json;
  google::protobuf::TextFormat::PrintToString(data, &schema);
  text("schema.txtpb", schema);
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  (void)google::protobuf::util::MessageToJsonString(data, &json, options);
  text("schema.json", json);
  return data;
}

} // namespace

data::Dataset oracle::generateData(Dice &dice, const std::string &folder) { return DataWriter(dice, folder).write(); }
