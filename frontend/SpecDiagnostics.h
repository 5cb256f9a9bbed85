// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Errors and warnings about a spec or a dataset's schema: collected while it is read, printed together as clang prints
// its own: file:line:column, what is wrong, the line of the source and a caret under the place.
#ifndef TOWERC_FRONTEND_SPECDIAGNOSTICS_H
#define TOWERC_FRONTEND_SPECDIAGNOSTICS_H

#include <iosfwd>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tower {

/// A place in a file. Lines and columns start at 1; a column counts bytes. `line` is 0 when there is no file: then
/// `file` says where the value comes from, for instance "--set training.seed=7".
struct SpecPosition {
  std::string file;
  int line = 0;
  int column = 0;
  int length = 1; ///< Bytes that the caret underlines.

  /// "model.txtpb:3:5", or "--set training.seed=7".
  std::string str() const;
};

struct SpecDiagnostic {
  enum Severity { Error, Warning };
  Severity severity;
  SpecPosition position;
  std::string message;
};

class SpecDiagnostics {
public:
  /// Makes the text of `file` known, so that its lines can be shown.
  void addSource(const std::string &file, std::string_view text);

  /// The same message at the same place is kept once.
  void error(const SpecPosition &position, const std::string &message);
  void warning(const SpecPosition &position, const std::string &message);

  int numErrors() const { return errors; }
  int numWarnings() const { return static_cast<int>(all.size()) - errors; }

  /// In order of file and place.
  std::vector<SpecDiagnostic> sorted() const;

  /// All diagnostics, each with its line of source and a caret:
  ///   model.txtpb:9:16: error: losses[0].in_batch_softmax.temperature: found -0.1; a finite number > 0 is allowed
  ///      9 |   temperature: -0.1
  ///        |                ^~~~
  void print(std::ostream &os) const;

private:
  void add(SpecDiagnostic diagnostic);

  std::vector<SpecDiagnostic> all;
  std::map<std::string, std::vector<std::string>> lines; ///< Of each file.
  int errors = 0;
};

} // namespace tower

#endif // TOWERC_FRONTEND_SPECDIAGNOSTICS_H
