// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// .tfrecord files of tf.Example. A feature that a record lacks is missing there; integers count as categories by their
// decimal digits. Messages number records from 1.
#include "frontend/MappedFile.h"
#include "frontend/RowReader.h"
#include "frontend/TfRecord.h"
#include "frontend/tf_example.pb.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <deque>

using namespace tower;

uint32_t tower::maskedCrc32c(std::string_view bytes) {
  static const std::array<uint32_t, 256> table = [] {
    std::array<uint32_t, 256> entries{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit)
        value = value & 1 ? value >> 1 ^ 0x82f63b78u : value >> 1;
      entries[i] = value;
    }
    return entries;
  }();
  uint32_t crc = 0xffffffffu;
  for (unsigned char byte : bytes)
    crc = crc >> 8 ^ table[(crc ^ byte) & 0xff];
  return std::rotr(~crc, 15) + 0xa282ead8u;
}

namespace {

class TfRecordRows : public RowReader {
public:
  TfRecordRows(const std::string &path, const std::string &shown, DataErrors &errors, std::string &error)
      : RowReader(shown, errors), mapped(path, error), rest(mapped.text()) {}

  /// Read the first record ahead, so that hasColumn() can answer.
  void peek() { peeked = read(); }

  bool hasColumn(std::string_view name) const override {
    return example.features().feature().contains(std::string(name));
  }
  int column(std::string_view name) override;
  std::vector<std::string> columnNames() const override;
  std::vector<std::string> neverSeen() const override;
  bool next() override;
  std::string where() const override { return file + ":record " + std::to_string(record); }
  bool single(int column, std::string_view &value) override;
  bool values(int column, std::string_view separator, std::vector<std::string_view> &out) override;
  bool numbers(int column, std::string_view separator, std::vector<double> &out) override;

private:
  bool read();
  bool stop(const std::string &what) {
    errors.add(where(), what);
    rest = {};
    return false;
  }
  const data::Feature *feature(int column) {
    auto at = example.features().feature().find(wanted[column]);
    if (at == example.features().feature().end())
      return nullptr;
    seen[column] = true;
    return &at->second;
  }

  MappedFile mapped;
  std::string_view rest;
  int64_t record = 0;
  bool peeked = false;
  data::Example example;
  std::vector<std::string> wanted;
  std::vector<bool> seen;         // of `wanted`
  std::deque<std::string> digits; // integers of the current row as text
};

} // namespace

static uint32_t readU32(std::string_view bytes) {
  uint32_t value;
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

/// Read a record; false at the end. After a wrong checksum of a length the rest of the file cannot be told apart.
bool TfRecordRows::read() {
  while (!rest.empty()) {
    ++record;
    constexpr size_t lengthSize = 8, crcSize = 4;
    if (rest.size() < lengthSize + crcSize)
      return stop("the file ends inside a record; copy or write it again");
    if (maskedCrc32c(rest.substr(0, lengthSize)) != readU32(rest.substr(lengthSize)))
      return stop("the checksum of the record's length is wrong: not a TFRecord file, compressed, or damaged; write it "
                  "uncompressed");
    uint64_t length = readU32(rest) | uint64_t(readU32(rest.substr(4))) << 32;
    rest.remove_prefix(lengthSize + crcSize);
    if (rest.size() < crcSize || length > rest.size() - crcSize)
      return stop("the file ends inside a record; copy or write it again");
    std::string_view bytes = rest.substr(0, length);
    uint32_t crc = readU32(rest.substr(length));
    rest.remove_prefix(length + crcSize);
    if (maskedCrc32c(bytes) != crc) {
      errors.add(where(), "the record's checksum is wrong: the file is damaged; copy or write it again");
    } else if (length > INT32_MAX || !example.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      errors.add(where(), "the record is not a tf.Example; serialize tf.train.Example messages");
    } else {
      digits.clear();
      return true;
    }
    if (errors.full())
      return false;
  }
  return false;
}

bool TfRecordRows::next() {
  if (std::exchange(peeked, false))
    return true;
  return !errors.full() && read();
}

int TfRecordRows::column(std::string_view name) {
  auto at = std::find(wanted.begin(), wanted.end(), name);
  if (at == wanted.end()) {
    at = wanted.emplace(at, name);
    seen.push_back(false);
  }
  return static_cast<int>(at - wanted.begin());
}

std::vector<std::string> TfRecordRows::neverSeen() const {
  std::vector<std::string> names;
  for (size_t i = 0; i < wanted.size(); ++i)
    if (!seen[i])
      names.push_back(wanted[i]);
  return names;
}

std::vector<std::string> TfRecordRows::columnNames() const {
  std::vector<std::string> names;
  for (const auto &[name, feature] : example.features().feature())
    names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

bool TfRecordRows::single(int column, std::string_view &value) {
  std::vector<std::string_view> all;
  value = {};
  if (!values(column, "", all))
    return false;
  if (all.size() > 1) {
    errors.add(where(), "feature " + inQuotes(wanted[column]) + " has " + std::to_string(all.size()) +
                            " values instead of one; declare the column as multi {}");
    return false;
  }
  if (!all.empty())
    value = all[0];
  return true;
}

bool TfRecordRows::values(int column, std::string_view, std::vector<std::string_view> &out) {
  out.clear();
  const data::Feature *found = feature(column);
  if (!found)
    return true;
  switch (found->kind_case()) {
  case data::Feature::kBytesList:
    for (const std::string &value : found->bytes_list().value())
      if (!value.empty())
        out.push_back(value);
    return true;
  case data::Feature::kInt64List:
    for (int64_t value : found->int64_list().value())
      out.push_back(digits.emplace_back(std::to_string(value)));
    return true;
  case data::Feature::kFloatList:
    errors.add(where(), "feature " + inQuotes(wanted[column]) +
                            " is a list of floats, which are no categories; declare the column as dense {}");
    return false;
  case data::Feature::KIND_NOT_SET:
    return true;
  }
  return true;
}

bool TfRecordRows::numbers(int column, std::string_view, std::vector<double> &out) {
  out.clear();
  const data::Feature *found = feature(column);
  if (!found)
    return true;
  if (found->has_bytes_list()) {
    errors.add(where(),
               "feature " + inQuotes(wanted[column]) + " is a list of bytes, not of numbers; write it as floats");
    return false;
  }
  out.assign(found->float_list().value().begin(), found->float_list().value().end());
  if (found->has_int64_list())
    out.assign(found->int64_list().value().begin(), found->int64_list().value().end());
  for (double number : out) {
    if (!std::isfinite(number)) {
      errors.add(where(), "feature " + inQuotes(wanted[column]) +
                              " holds a number that is not finite; replace it, for example by the column's mean");
      return false;
    }
  }
  return true;
}

std::unique_ptr<RowReader> tower::openTfRecordRows(const std::string &path, const std::string &shown,
                                                   DataErrors &errors) {
  std::string error;
  auto rows = std::make_unique<TfRecordRows>(path, shown, errors, error);
  if (!error.empty()) {
    errors.add(shown, error + "; check the path");
    return nullptr;
  }
  rows->peek();
  return rows;
}
