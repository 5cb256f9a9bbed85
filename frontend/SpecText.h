// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Text proto with positions: where each field and each value is written, and errors that say what is allowed there.
#ifndef TOWERC_FRONTEND_SPECTEXT_H
#define TOWERC_FRONTEND_SPECTEXT_H

#include "frontend/SpecDiagnostics.h"

#include <google/protobuf/message.h>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace tower {

/// Where the parts of a message are written. A path names a part: "towers[0].layers[1].units".
class SpecPlaces {
public:
  explicit SpecPlaces(std::string file) : file(std::move(file)) {}

  /// Of the field's name, or of the element of a list; of what is around it where the part itself is not written.
  SpecPosition nameAt(std::string_view path) const;
  /// Of the value of a scalar: what stands behind the colon.
  SpecPosition valueAt(std::string_view path) const;
  bool isWritten(std::string_view path) const { return places.find(path) != places.end(); }

  /// True if an error about this very part was reported already: what it lacks now is no news.
  bool isSpoiled(std::string_view path) const { return spoiled.find(path) != spoiled.end(); }
  /// The same of any part whose path starts with `prefix`.
  bool anySpoiled(std::string_view prefix) const;
  /// True if a name of the list's elements could have been lost: the list, an element, or a name was reported.
  bool namesSpoiled(std::string_view list) const;

  void set(const std::string &path, SpecPosition name, SpecPosition value);
  void spoil(const std::string &path) { spoiled.insert(path); }
  /// Forgets a part and all within it.
  void erase(const std::string &path);

private:
  struct Place {
    SpecPosition name;
    SpecPosition value;
  };
  const Place *find(std::string_view path) const;

  std::string file;
  std::map<std::string, Place, std::less<>> places;
  std::set<std::string, std::less<>> spoiled;
};

/// Parses `text` into `message`, which is of any type, and notes places. Each wrong field and value is reported and
/// left out of the message. False: the text has no structure (a brace that is not closed, say), so that what the
/// message holds means nothing.
bool parseSpecText(const std::string &file, const std::string &text, google::protobuf::Message &message,
                   SpecPlaces &places, SpecDiagnostics &diagnostics);

/// Reads the file, or reports why it cannot.
std::optional<std::string> readTextFile(const std::string &file, SpecDiagnostics &diagnostics);

/// The names of a message's fields, and of an enum's values but the one that stands for the default.
std::vector<std::string> fieldNames(const google::protobuf::Descriptor &message);
std::vector<std::string> valueNames(const google::protobuf::EnumDescriptor &type);

/// "a whole number from 0 to 4294967295", "true or false", ...: what a field of this type can be.
std::string allowedValues(const google::protobuf::FieldDescriptor &field);

} // namespace tower

#endif // TOWERC_FRONTEND_SPECTEXT_H
