// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tab-separated text (no quotes: a field is what lies between tabs) and comma-separated text (RFC 4180: a field in
// quotes may hold commas, line breaks and doubled quotes). The first line is the header.
#include "frontend/MappedFile.h"
#include "frontend/RowReader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <deque>

using namespace tower;

namespace {

class TextRows : public RowReader {
public:
  TextRows(const std::string &path, const std::string &shown, bool quotes, DataErrors &errors, std::string &error)
      : RowReader(shown, errors), mapped(path, error), rest(mapped.text()), quotes(quotes) {}

  bool readHeader();

  bool hasColumn(std::string_view name) const override { return find(name) >= 0; }
  int column(std::string_view name) override { return find(name); }
  std::vector<std::string> columnNames() const override { return header; }
  bool next() override;
  std::string where() const override { return file + ":" + std::to_string(rowLine); }
  bool single(int column, std::string_view &value) override {
    value = fields[column];
    return true;
  }
  bool values(int column, std::string_view separator, std::vector<std::string_view> &out) override;
  bool numbers(int column, std::string_view separator, std::vector<double> &out) override;

private:
  int find(std::string_view name) const {
    auto at = std::find(header.begin(), header.end(), name);
    return at == header.end() ? -1 : static_cast<int>(at - header.begin());
  }
  /// Read one row into `fields`; false if it is bad: then an error was added and the rest of the line is skipped.
  bool readRow();
  bool readQuoted();
  void skipLine();
  bool bad(int64_t line, const std::string &what) {
    errors.add(file + ":" + std::to_string(line), what);
    skipLine();
    return false;
  }

  MappedFile mapped;
  std::string_view rest; // what was not read yet
  bool quotes;
  int64_t line = 1;    // of the first character of `rest`
  int64_t rowLine = 1; // where the current row starts
  std::vector<std::string> header;
  std::vector<std::string_view> fields;
  std::deque<std::string> unescaped; // fields of the current row that held doubled quotes
};

} // namespace

void TextRows::skipLine() {
  size_t end = rest.find('\n');
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  ++line;
}

/// Read a field that starts with a quote, up to the closing one.
bool TextRows::readQuoted() {
  int64_t start = line;
  rest.remove_prefix(1);
  std::string joined;
  bool doubled = false;
  size_t from = 0;
  for (;;) {
    size_t close = rest.find('"', from);
    if (close == std::string_view::npos) {
      rest = {};
      errors.add(file + ":" + std::to_string(start), "unterminated quote; close the field that starts here with \"");
      return false;
    }
    if (close + 1 < rest.size() && rest[close + 1] == '"') {
      joined.append(rest.substr(from, close + 1 - from));
      doubled = true;
      from = close + 2;
      continue;
    }
    std::string_view piece = rest.substr(from, close - from);
    line += std::count(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(close), '\n');
    if (doubled)
      fields.push_back(unescaped.emplace_back(joined.append(piece)));
    else
      fields.push_back(piece);
    rest.remove_prefix(close + 1);
    break;
  }
  if (!rest.empty() && rest[0] != ',' && rest[0] != '\n' && !rest.starts_with("\r\n"))
    return bad(line, "text after a closing quote; double the quotes that belong to the field");
  return true;
}

bool TextRows::readRow() {
  fields.clear();
  unescaped.clear();
  rowLine = line;
  const char separator = quotes ? ',' : '\t';
  for (;;) {
    if (quotes && rest.starts_with('"')) {
      if (!readQuoted())
        return false;
    } else {
      const std::string_view stops = quotes ? ",\n\"" : "\t\n";
      size_t end = std::min(rest.find_first_of(stops), rest.size());
      if (end < rest.size() && rest[end] == '"')
        return bad(line, "a quote inside a field without quotes; put the field in quotes and double the quote");
      std::string_view field = rest.substr(0, end);
      if ((end == rest.size() || rest[end] == '\n') && field.ends_with('\r'))
        field.remove_suffix(1);
      fields.push_back(field);
      rest.remove_prefix(end);
    }
    if (rest.starts_with(separator)) {
      rest.remove_prefix(1);
      continue;
    }
    skipLine();
    return true;
  }
}

bool TextRows::readHeader() {
  if (rest.starts_with("\xef\xbb\xbf"))
    rest.remove_prefix(3);
  if (rest.empty()) {
    errors.add(file, "the file is empty; its first line must name the columns");
    return false;
  }
  if (!readRow())
    return false;
  for (std::string_view name : fields) {
    if (hasColumn(name)) {
      errors.add(where(), "the header names " + inQuotes(name) + " twice; rename one of the columns");
      return false;
    }
    header.emplace_back(name);
  }
  return true;
}

bool TextRows::next() {
  while (!errors.full() && !rest.empty()) {
    if (rest[0] == '\n' || rest.starts_with("\r\n")) {
      skipLine(); // an empty line is no row
      continue;
    }
    if (!readRow())
      continue;
    if (fields.size() == header.size())
      return true;
    errors.add(where(), "the row has " + std::to_string(fields.size()) + " fields, the header " +
                            std::to_string(header.size()) + "; give every row the header's fields" +
                            (quotes ? ", and quotes to those that hold a comma or a line break" : ""));
  }
  return false;
}

bool TextRows::values(int column, std::string_view separator, std::vector<std::string_view> &out) {
  out.clear();
  std::string_view text = fields[column];
  while (!text.empty()) {
    size_t end = std::min(text.find(separator), text.size());
    if (end > 0)
      out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + separator.size(), text.size()));
  }
  return true;
}

bool TextRows::numbers(int column, std::string_view separator, std::vector<double> &out) {
  out.clear();
  std::vector<std::string_view> parts;
  values(column, separator, parts);
  for (std::string_view part : parts) {
    std::string_view digits = part;
    while (digits.starts_with(' '))
      digits.remove_prefix(1);
    while (digits.ends_with(' '))
      digits.remove_suffix(1);
    if (digits.starts_with('+') && !digits.starts_with("+-"))
      digits.remove_prefix(1);
    double number = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    const std::string what = inQuotes(part) + " in column " + inQuotes(header[column]);
    if (error == std::errc::result_out_of_range) {
      errors.add(where(), what + " is out of a number's range; correct it");
      return false;
    }
    if (error != std::errc() || end != digits.data() + digits.size()) {
      errors.add(where(), what + " is not a number; write one such as 3 or -0.5e3");
      return false;
    }
    if (!std::isfinite(number)) {
      errors.add(where(), what + " is not finite; replace it, for example by the column's mean");
      return false;
    }
    out.push_back(number);
  }
  return true;
}

std::unique_ptr<RowReader> tower::openTextRows(const std::string &path, const std::string &shown, bool quotes,
                                               DataErrors &errors) {
  std::string error;
  auto rows = std::make_unique<TextRows>(path, shown, quotes, errors, error);
  if (!error.empty()) {
    errors.add(shown, error + "; check the path");
    return nullptr;
  }
  if (!rows->readHeader())
    return nullptr;
  return rows;
}
