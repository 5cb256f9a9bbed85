// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How often each value of the spec, op, pass and situation occurred in the models that were tested.
#ifndef TEST_DIFFERENTIAL_COVERAGE_H
#define TEST_DIFFERENTIAL_COVERAGE_H

#include "frontend/model.pb.h"
#include "llvm/ADT/StringRef.h"

#include <map>
#include <set>
#include <string>

namespace mlir {
class ModuleOp;
}

namespace tower::differential {

/// Counts models, not occurrences within one. Not for use by two threads at once; see merge().
class Coverage {
public:
  /// Everything that must occur: enum values and alternatives of model.proto, the dialect's ops, towerc's passes.
  void expectAll();

  void countSpec(const google::protobuf::Message &message);
  void countOps(mlir::ModuleOp module);
  void countPass(const std::string &argument) { seen("pass", argument); }
  /// An op whose adjoint was compared alone.
  void countAdjoint(const std::string &op) { seen("adjoint", op); }
  /// What an optimization, called by its pass's flag, decided.
  void countDecision(llvm::StringRef pass, bool applied) {
    if (pass.consume_front("tower-"))
      seen(applied ? "applied" : "declined", pass.str());
  }
  /// Anything else worth to happen, by what it is.
  void countCase(const std::string &what) { seen("case", what); }

  /// Adds what one model has seen, each at most once.
  void merge(const Coverage &model);

  /// Prints the table. Returns how many expected rows are below `minimum`.
  int print(std::ostream &os, int minimum) const;

private:
  void seen(const std::string &group, const std::string &name) { ++counts[{group, name}]; }
  void expect(const std::string &group, const std::string &name) { counts[{group, name}]; }

  std::map<std::pair<std::string, std::string>, int> counts; ///< By group and name.
};

} // namespace tower::differential

#endif
