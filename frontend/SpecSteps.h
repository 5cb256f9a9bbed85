// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The steps of readSpec after the text: overrides, defaults, checks, the data. Each works on a Spec and reports what it
// finds; none assumes that an earlier one found nothing.
#ifndef TOWERC_FRONTEND_SPECSTEPS_H
#define TOWERC_FRONTEND_SPECSTEPS_H

#include "frontend/ModelReader.h"

namespace tower {

/// Applies one --set, "losses[ssl].weight=0.3".
void overrideSpec(Spec &spec, const std::string &assignment, SpecDiagnostics &diagnostics);

/// Fills in every default that the spec alone decides.
void completeSpec(Spec &spec, SpecDiagnostics &diagnostics);

/// Checks what can be checked without data: names and references, ranges, losses, training.
void checkSpec(const Spec &spec, SpecDiagnostics &diagnostics);
void checkLosses(const Spec &spec, SpecDiagnostics &diagnostics);
void checkTraining(const Spec &spec, SpecDiagnostics &diagnostics);

/// Warns of parts that nothing refers to: more often a slip than meant. For a spec without errors.
void warnOfUnusedParts(const Spec &spec, SpecDiagnostics &diagnostics);

/// Reports sizes that only data could tell, and makes the rest concrete.
void resolveWithoutData(Spec &spec, SpecDiagnostics &diagnostics);

/// The name of losses(index): its own, or the kind, with _2, _3 ... from the second of a kind on.
std::string lossName(const spec::Model &model, int index);

/// The element of that name, or null.
template <typename List> auto *findNamed(List &list, const std::string &name) {
  for (auto &element : list)
    if (element.name() == name)
      return &element;
  return static_cast<decltype(&*list.begin())>(nullptr);
}

/// "losses[2]", "entities[0].features[1].name": the path of an element and of a part of it.
inline std::string element(const std::string &list, int index) { return list + "[" + std::to_string(index) + "]"; }

/// Reports at a path of the spec, once: silent where the part itself was reported before.
class SpecReporter {
public:
  SpecReporter(const Spec &spec, SpecDiagnostics &diagnostics) : spec(spec), diagnostics(diagnostics) {}

  void error(const std::string &path, const std::string &message) {
    if (!spec.places.isSpoiled(path))
      diagnostics.error(spec.valuePositionOf(path), path + ": " + message);
  }
  void warning(const std::string &path, const std::string &message) {
    diagnostics.warning(spec.valuePositionOf(path), path + ": " + message);
  }
  /// A number that is not finite or outside of its range.
  void number(const std::string &path, double value, bool good, const std::string &allowed);
  /// `name` is not among the elements of a list of the spec, which is at `list`. `what`: "there is no tower".
  void unknown(const std::string &path, const std::string &what, const std::string &name, const std::string &list,
               const std::vector<std::string> &known);

  const Spec &spec;
  SpecDiagnostics &diagnostics;
};

/// "0.3", "1e-10", "nan": the shortest text that gives the number back.
std::string numberText(double value);

template <typename List> std::vector<std::string> namesOf(const List &list) {
  std::vector<std::string> names;
  for (const auto &element : list)
    names.push_back(element.name());
  return names;
}

} // namespace tower

#endif // TOWERC_FRONTEND_SPECSTEPS_H
