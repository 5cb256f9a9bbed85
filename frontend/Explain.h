// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the optimizations of a compilation decided, as tables (towerc --explain).
#ifndef TOWERC_FRONTEND_EXPLAIN_H
#define TOWERC_FRONTEND_EXPLAIN_H

#include "mlir/IR/MLIRContext.h"
#include "passes/Decision.h"
#include "llvm/Support/raw_ostream.h"

#include <optional>
#include <string>
#include <vector>

namespace tower {

/// One decision of one pass about one op.
struct Decision {
  std::string pass, op, place; ///< Place: line:column of the spec.
  std::string what;            ///< What was done, or why nothing was.
  bool applied;
  std::string operationsBefore, operationsAfter, bytesBefore, bytesAfter; ///< Empty where the pass does not say.
};

/// What a machine does in a second: operations of products, bytes read and written.
struct Rates {
  double operations, bytes;
};

/// Collects the remarks of all passes that run in a context.
class Explanation {
public:
  /// Must outlive the context's passes.
  explicit Explanation(mlir::MLIRContext &context);

  /// Of the last machine.
  const std::vector<Decision> &decisions() const { return machines.back().decisions; }
  /// What follows is decided for another machine. Of one after the first only tables that are not as before are
  /// printed.
  void startMachine(std::string title) { machines.push_back({std::move(title), {}, {}}); }
  /// The step's work before all optimizations and after them, to be printed behind the tables.
  void setTotals(Work before, Work after) { machines.back().totals = {before, after}; }
  /// With the machine's rates, times are predicted: the longer of what products and memory take.
  void setRates(Rates measured) { rates = measured; }
  /// One table a pass, in the order in which they ran. Decisions that differ in nothing are one line with their number.
  void print(llvm::raw_ostream &os) const;

private:
  struct Machine {
    std::string title;
    std::vector<Decision> decisions;
    std::optional<std::pair<Work, Work>> totals;
  };
  void print(const Machine &machine, llvm::raw_ostream &os) const;

  std::vector<Machine> machines;
  std::optional<Rates> rates;
};

} // namespace tower

#endif
