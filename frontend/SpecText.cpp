// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Two steps. A walk over the tokens, led by the message's descriptor, notes places, reports what is wrong and blanks it
// out of the text; then protobuf's own parser reads what is left. So one run reports everything (protobuf's parser
// stops at the first wrong value and knows no place of a value or of an element of a list), and yet what a text means
// is protobuf's word alone.
#include "frontend/SpecText.h"
#include "frontend/Suggest.h"

#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/text_format.h>
#include <limits>
#include <utility>

namespace tower {

using namespace google::protobuf;
using io::Tokenizer;

std::vector<std::string> fieldNames(const Descriptor &message) {
  std::vector<std::string> names;
  for (int i = 0; i < message.field_count(); ++i)
    names.push_back(message.field(i)->name());
  return names;
}

std::vector<std::string> valueNames(const EnumDescriptor &type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i)
    if (type.value(i)->number() != 0)
      names.push_back(type.value(i)->name());
  return names;
}

std::string allowedValues(const FieldDescriptor &field) {
  switch (field.cpp_type()) {
  case FieldDescriptor::CPPTYPE_INT32:
    return "a whole number from -2147483648 to 2147483647";
  case FieldDescriptor::CPPTYPE_INT64:
    return "a whole number from -9223372036854775808 to 9223372036854775807";
  case FieldDescriptor::CPPTYPE_UINT32:
    return "a whole number from 0 to 4294967295";
  case FieldDescriptor::CPPTYPE_UINT64:
    return "a whole number from 0 to 18446744073709551615";
  case FieldDescriptor::CPPTYPE_FLOAT:
  case FieldDescriptor::CPPTYPE_DOUBLE:
    return "a number";
  case FieldDescriptor::CPPTYPE_BOOL:
    return "true or false";
  case FieldDescriptor::CPPTYPE_STRING:
    return "text in quotes";
  case FieldDescriptor::CPPTYPE_ENUM:
    return alternatives(valueNames(*field.enum_type()));
  case FieldDescriptor::CPPTYPE_MESSAGE:
    return "{ ... }";
  }
  return "";
}

namespace {

/// Protobuf's errors, with its columns: from 0, in characters of a terminal whose tabs are 8 wide.
struct Collector : io::ErrorCollector {
  struct Error {
    int line;
    int column;
    std::string message;
  };
  std::vector<Error> errors;
  void AddError(int line, int column, const std::string &message) override {
    errors.push_back({line, column, message});
  }
};

struct Token {
  Tokenizer::TokenType type;
  std::string text;
  SpecPosition position;
  size_t begin; ///< Byte in the text.
};

class Walk {
public:
  Walk(const std::string &file, const std::string &text, SpecPlaces &places, SpecDiagnostics &diagnostics)
      : file(file), text(text), places(places), diagnostics(diagnostics), blanked(text) {}

  /// False: no structure.
  bool run(const Descriptor &type) { return tokenize() && message(type, "", ""); }

  const std::string &rest() const { return blanked; }

  SpecPosition position(int line, int column, size_t length) const {
    return {file, line + 1, static_cast<int>(byteColumn(line, column)) + 1, static_cast<int>(length)};
  }

private:
  bool tokenize();
  size_t byteColumn(int line, int column) const;

  const Token &token() const { return tokens[next]; }
  bool at(std::string_view symbol) const { return token().type != Tokenizer::TYPE_STRING && token().text == symbol; }
  bool atEnd() const { return token().type == Tokenizer::TYPE_END; }
  bool accept(std::string_view symbol) { return at(symbol) ? (++next, true) : false; }
  bool expected(const std::string &what, const std::string &path);

  bool message(const Descriptor &type, const std::string &path, std::string_view close);
  bool field(const Descriptor &type, const std::string &path);
  bool values(const FieldDescriptor &field, const std::string &path, const Token &name);
  bool value(const FieldDescriptor &field, const std::string &path, const SpecPosition &name);
  bool scalar(const FieldDescriptor &field, const std::string &path, const SpecPosition &name);
  bool skipValue();

  const std::string &file;
  const std::string &text;
  SpecPlaces &places;
  SpecDiagnostics &diagnostics;
  std::string blanked;
  std::vector<size_t> lineStarts;
  std::vector<Token> tokens;
  size_t next = 0;
  std::map<std::string, int> counts; ///< Elements so far of each list, by path.
  bool wrong = false;                ///< In the field that is being read.
};

} // namespace

/// From protobuf's columns, in which a tab leads to the next multiple of 8, to bytes.
size_t Walk::byteColumn(int line, int column) const {
  size_t begin = static_cast<size_t>(line) < lineStarts.size() ? lineStarts[line] : text.size();
  size_t at = begin;
  for (int seen = 0; seen < column && at < text.size() && text[at] != '\n'; ++at)
    seen = text[at] == '\t' ? (seen / 8 + 1) * 8 : seen + 1;
  return at - begin;
}

bool Walk::tokenize() {
  lineStarts = {0};
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i] == '\n')
      lineStarts.push_back(i + 1);
  io::ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
  Collector collector;
  Tokenizer tokenizer(&stream, &collector);
  tokenizer.set_comment_style(Tokenizer::SH_COMMENT_STYLE);
  tokenizer.set_allow_f_after_float(true);
  tokenizer.set_require_space_after_number(false);
  do {
    tokenizer.Next();
    const Tokenizer::Token &t = tokenizer.current();
    SpecPosition where = position(t.line, t.column, t.text.size());
    size_t begin =
        std::min(lineStarts[std::min<size_t>(t.line, lineStarts.size() - 1)] + where.column - 1, text.size());
    tokens.push_back({t.type, t.text, std::move(where), begin});
  } while (tokens.back().type != Tokenizer::TYPE_END);
  for (const Collector::Error &error : collector.errors)
    diagnostics.error(position(error.line, error.column, 1), error.message);
  return collector.errors.empty();
}

bool Walk::expected(const std::string &what, const std::string &path) {
  std::string found = atEnd() ? "the end of the file" : "'" + token().text + "'";
  diagnostics.error(token().position, (path.empty() ? "" : path + ": ") + "found " + found + "; " + what);
  return false;
}

bool Walk::message(const Descriptor &type, const std::string &path, std::string_view close) {
  size_t open = next == 0 ? 0 : next - 1;
  while (close.empty() ? !atEnd() : !at(close)) {
    if (atEnd())
      return expected("the '" + tokens[open].text + "' of line " + std::to_string(tokens[open].position.line) +
                          " is not closed by '" + std::string(close) + "'",
                      path);
    if (!field(type, path))
      return false;
  }
  if (!close.empty())
    ++next;
  return true;
}

/// One statement: a field's name and its value, or values.
bool Walk::field(const Descriptor &type, const std::string &path) {
  if (token().type != Tokenizer::TYPE_IDENTIFIER)
    return expected("the name of a field is expected: " + alternatives(fieldNames(type)), path);
  Token name = token();
  ++next;
  std::string prefix = path.empty() ? "" : path + ".";
  const FieldDescriptor *field = type.FindFieldByName(name.text);
  std::string part = (path.empty() ? "" : path + ".") + name.text;
  int countBefore = counts[part];
  bool outerWrong = std::exchange(wrong, false);
  if (!field) {
    wrong = true;
    diagnostics.error(name.position, (path.empty() ? "" : path + ": ") + type.name() + " has no field \"" + name.text +
                                         "\"" + didYouMean(name.text, fieldNames(type)));
    if (std::string near = nearest(name.text, fieldNames(type)); !near.empty())
      places.spoil(prefix + near);
    accept(":");
    if (!skipValue())
      return false;
  } else {
    if (!field->is_repeated() && places.isWritten(part)) {
      wrong = true;
      diagnostics.error(name.position, part + ": is written twice; the first one is in line " +
                                           std::to_string(places.nameAt(part).line));
    }
    if (const OneofDescriptor *oneof = field->real_containing_oneof())
      for (int i = 0; i < oneof->field_count(); ++i)
        if (const FieldDescriptor *other = oneof->field(i);
            other != field && places.isWritten(prefix + other->name())) {
          wrong = true;
          diagnostics.error(name.position, part + ": is written beside " + other->name() + " of line " +
                                               std::to_string(places.nameAt(prefix + other->name()).line) +
                                               "; only one of them is allowed");
        }
    if (!values(*field, part, name))
      return false;
  }
  accept(";") || accept(",");
  if (wrong) { // what was read of it is of no use to protobuf's parser
    counts[part] = countBefore;
    for (size_t i = name.begin, end = tokens[next - 1].begin + tokens[next - 1].text.size(); i < end; ++i)
      if (blanked[i] != '\n')
        blanked[i] = ' ';
  }
  wrong = outerWrong;
  return true;
}

bool Walk::values(const FieldDescriptor &field, const std::string &path, const Token &name) {
  bool colon = accept(":");
  if (!colon && field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE)
    return expected("':' and " + allowedValues(field) + " are expected", path);
  if (!field.is_repeated())
    return value(field, path, name.position);
  auto element = [&] { return path + "[" + std::to_string(counts[path]++) + "]"; };
  if (!at("["))
    return value(field, element(), name.position);
  ++next;
  if (accept("]"))
    return true;
  do {
    SpecPosition start = token().position;
    if (!value(field, element(), start))
      return false;
  } while (accept(","));
  return accept("]") || expected("',' or ']' is expected", path);
}

bool Walk::value(const FieldDescriptor &field, const std::string &path, const SpecPosition &name) {
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE)
    return scalar(field, path, name);
  std::string_view close = at("<") ? ">" : "}";
  if (!accept("{") && !accept("<")) {
    wrong = true;
    places.spoil(path);
    expected("{ ... } with fields of " + field.message_type()->name() + " is expected", path);
    return skipValue();
  }
  if (!wrong)
    places.set(path, name, name);
  return message(*field.message_type(), path, close);
}

/// True if protobuf's parser will take `words`, a sign and a token, for a value of this field.
static bool isValueOf(const FieldDescriptor &field, bool negative, const Token &token) {
  auto whole = [&](uint64_t most) {
    uint64_t ignored;
    return token.type == Tokenizer::TYPE_INTEGER && Tokenizer::ParseInteger(token.text, most, &ignored);
  };
  std::string lower = token.text;
  for (char &c : lower)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  switch (field.cpp_type()) {
  case FieldDescriptor::CPPTYPE_INT32:
    return whole(std::numeric_limits<int32_t>::max() + uint64_t(negative));
  case FieldDescriptor::CPPTYPE_INT64:
    return whole(std::numeric_limits<int64_t>::max() + uint64_t(negative));
  case FieldDescriptor::CPPTYPE_UINT32:
    return !negative && whole(std::numeric_limits<uint32_t>::max());
  case FieldDescriptor::CPPTYPE_UINT64:
    return !negative && whole(std::numeric_limits<uint64_t>::max());
  case FieldDescriptor::CPPTYPE_FLOAT:
  case FieldDescriptor::CPPTYPE_DOUBLE:
    return token.type == Tokenizer::TYPE_FLOAT || whole(std::numeric_limits<uint64_t>::max()) ||
           (token.type == Tokenizer::TYPE_IDENTIFIER && (lower == "inf" || lower == "infinity" || lower == "nan"));
  case FieldDescriptor::CPPTYPE_BOOL:
    return !negative && (token.text == "true" || token.text == "false");
  case FieldDescriptor::CPPTYPE_STRING:
    return !negative && token.type == Tokenizer::TYPE_STRING;
  case FieldDescriptor::CPPTYPE_ENUM:
    return !negative && token.type == Tokenizer::TYPE_IDENTIFIER && field.enum_type()->FindValueByName(token.text);
  case FieldDescriptor::CPPTYPE_MESSAGE:
    break;
  }
  return false;
}

bool Walk::scalar(const FieldDescriptor &field, const std::string &path, const SpecPosition &name) {
  if (atEnd() || at("}") || at("]") || at(">"))
    return expected(allowedValues(field) + " is expected", path);
  size_t first = next;
  bool negative = accept("-");
  bool good = isValueOf(field, negative, token());
  SpecPosition where = tokens[first].position;
  if (!good && token().type == Tokenizer::TYPE_IDENTIFIER &&
      (tokens[next + 1].text == ":" || tokens[next + 1].text == "{")) {
    wrong = true; // the value was forgotten: this is the next field
    places.spoil(path);
    expected(allowedValues(field) + " is expected", path);
    return true;
  }
  if (!good) {
    wrong = true;
    places.spoil(path);
    std::string found = (negative ? "-" : "") + token().text;
    bool list = !field.is_repeated() && at("[");
    bool block = at("{") || at("<");
    if (list || block)
      found = list ? "a list" : "{ ... }";
    std::string near;
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM)
      near = nearest(found, valueNames(*field.enum_type()));
    if (token().position.line == where.line)
      where.length = token().position.column + token().position.length - where.column;
    diagnostics.error(where, path + ": found " + found + "; allowed: " + allowedValues(field) +
                                 (near.empty() ? "" : " (did you mean " + near + "?)"));
    return skipValue();
  }
  ++next;
  while (token().type == Tokenizer::TYPE_STRING && field.cpp_type() == FieldDescriptor::CPPTYPE_STRING)
    ++next; // adjacent texts are one
  const SpecPosition &last = tokens[next - 1].position;
  if (last.line == where.line)
    where.length = last.column + last.length - where.column;
  if (!wrong)
    places.set(path, name, where);
  return true;
}

/// Skips one value of any kind: a token, or all up to the bracket that closes it.
bool Walk::skipValue() {
  std::string open; // brackets, innermost last
  do {
    if (atEnd())
      return expected("a bracket is not closed", "");
    bool bracket = token().type == Tokenizer::TYPE_SYMBOL;
    char c = bracket ? token().text[0] : ' ';
    if (c == '{' || c == '[' || c == '<')
      open += c == '{' ? '}' : c == '[' ? ']' : '>';
    else if (c == '}' || c == ']' || c == '>') {
      if (open.empty() || open.back() != c)
        return expected("a value is expected", "");
      open.pop_back();
    }
    ++next;
    if (c == '-' && open.empty() && !atEnd())
      ++next;
  } while (!open.empty());
  return true;
}

bool parseSpecText(const std::string &file, const std::string &text, Message &message, SpecPlaces &places,
                   SpecDiagnostics &diagnostics) {
  diagnostics.addSource(file, text);
  Walk walk(file, text, places, diagnostics);
  if (!walk.run(*message.GetDescriptor()))
    return false;
  Collector collector;
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&collector);
  bool parsed = parser.ParseFromString(walk.rest(), &message);
  for (const Collector::Error &error : collector.errors)
    diagnostics.error(walk.position(error.line, error.column, 1), error.message);
  return parsed;
}

std::optional<std::string> readTextFile(const std::string &file, SpecDiagnostics &diagnostics) {
  constexpr int64_t most = int64_t(64) << 20;
  auto fail = [&](const std::string &why) {
    diagnostics.error({file, 0, 0, 1}, why);
    return std::nullopt;
  };
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored))
    return fail("is a folder; a text file is expected");
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  if (!stream)
    return fail(std::string("cannot be opened: ") + std::strerror(errno ? errno : EIO));
  std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  if (stream.bad())
    return fail(std::string("cannot be read: ") + std::strerror(errno ? errno : EIO));
  if (static_cast<int64_t>(text.size()) > most)
    return fail("is larger than 64 MiB; a text proto is expected");
  return text;
}

} // namespace tower
