// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Recompute or store. A value that the backward pass reads is in memory from where it is computed. One that is there at
// the peak of memory, but that the op at the peak does not read, may as well be computed again behind it:
//
//     v = f(a)   g(v)   ... peak ...   h(v)      becomes      v = f(a)   g(v)   ... peak ...   w = f(a)   h(w)
//
// Lookups, pooling and activations cost bytes, layers cost products: those come first, these if that is not enough.
// Masks and dropped values are functions of the step, so that they are the same again; tables are, because clones
// precede the first update. Runs behind all fusion, when values that are never stored (what a ReLU is applied to) are
// gone, and nothing may merge equal ops behind it.
#include "dialect/Tower.h"
#include "mlir/IR/IRMapping.h"
#include "passes/Passes.h"
#include "passes/StepMemory.h"
#include "passes/StepWork.h"
#include "llvm/ADT/SetVector.h"

#include <algorithm>

using namespace mlir;

namespace tower {
#define GEN_PASS_DEF_RECOMPUTE
#include "passes/Passes.h.inc"

namespace {

/// Whether an op is of the kinds that may be computed again: those that move bytes, and layers if `products`.
bool isPure(Operation *op, bool products) {
  return isa<LookupOp, PooledLookupOp, DenseOp, TakeOp, ComplementOp, PositionsOp, ExpandRowsOp, ActivateOp,
             NormalizeOp, StackOp, UnstackOp, SliceRowsOp, ScaleOp>(op) ||
         (products && isa<LinearOp, SegmentLinearOp>(op));
}

/// A buffer whose values would be computed again.
struct Candidate {
  ArrayRef<Value> values;
  llvm::SetVector<Operation *> ops; ///< That make them, and what they are made of if that is not in memory any more.
  Operation *place = nullptr;       ///< The first op behind the peak that reads them; clones come in front of it.
};

/// Clones of a candidate's ops, read by all users from its place on.
class Clones {
public:
  explicit Clones(const Candidate &candidate) {
    SmallVector<Operation *> ops(candidate.ops.getArrayRef());
    llvm::sort(ops, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
    OpBuilder builder(candidate.place);
    IRMapping mapping;
    for (Operation *op : ops)
      clones.emplace_back(op, builder.clone(*op, mapping));
    for (Value value : candidate.values)
      value.replaceUsesWithIf(mapping.lookup(value), [&](OpOperand &use) {
        return use.getOwner() == candidate.place || candidate.place->isBeforeInBlock(use.getOwner());
      });
    // Of a value that nothing reads behind the peak.
    for (auto &[op, clone] : llvm::reverse(clones))
      if (clone->use_empty())
        std::exchange(clone, nullptr)->erase();
    llvm::erase_if(clones, [](auto &pair) { return !pair.second; });
  }
  void undo() {
    for (auto [op, clone] : llvm::reverse(clones)) {
      clone->replaceAllUsesWith(op);
      clone->erase();
    }
  }
  Work work() const {
    Work sum;
    for (auto [op, clone] : clones) {
      Work work = workOf(clone);
      sum.operations += work.operations;
      sum.bytes += work.bytes;
    }
    return sum;
  }

private:
  SmallVector<std::pair<Operation *, Operation *>> clones;
};

/// A step as it is now, and its memory.
class Step {
public:
  explicit Step(func::FuncOp function) : memory(function) {
    Operation *terminator = function.getBody().front().getTerminator();
    firstUpdate = terminator;
    for (OpOperand &operand : terminator->getOpOperands()) {
      Operation *update = operand.get().getDefiningOp();
      if (update && function.getResultAttr(operand.getOperandNumber(), kUpdates) &&
          update->isBeforeInBlock(firstUpdate))
        firstUpdate = update;
    }
    for (auto [i, op] : llvm::enumerate(function.getBody().front()))
      numbers[&op] = static_cast<int64_t>(i);
    auto highest = std::max_element(memory.inUse().begin(), memory.inUse().end());
    peakOp = highest - memory.inUse().begin();
  }

  int64_t peakOp = 0;
  const StepMemory &use() const { return memory; }
  int64_t atPeak() const { return memory.inUse()[peakOp]; }
  /// Bytes above `goal`, summed over all ops: they fall even if other ops need as much as the one at the peak.
  int64_t above(int64_t goal) const {
    int64_t sum = 0;
    for (int64_t bytes : memory.inUse())
      sum += std::max<int64_t>(0, bytes - goal);
    return sum;
  }
  /// Buffers in memory at the peak whose values can be computed again behind it.
  SmallVector<Candidate> candidates(bool products) const {
    SmallVector<Candidate> result;
    for (const StepMemory::Buffer &buffer : memory.buffers())
      if (Candidate candidate{buffer.values, {}, nullptr};
          buffer.first < peakOp && peakOp < buffer.last && findPlace(candidate) &&
          llvm::all_of(buffer.values, [&](Value value) { return addOps(candidate, value, products); }))
        result.push_back(std::move(candidate));
    return result;
  }

private:
  StepMemory memory;
  Operation *firstUpdate = nullptr;
  llvm::DenseMap<Operation *, int64_t> numbers;

  /// Something reads the values in front of the peak and something behind it, but nothing at it or with the updates.
  bool findPlace(Candidate &candidate) const {
    bool readBefore = false;
    for (Value value : candidate.values)
      for (Operation *user : value.getUsers()) {
        bool isName =
            llvm::any_of(user->getResults(), [&](Value v) { return llvm::is_contained(candidate.values, v); });
        if (numbers.lookup(user) < peakOp) {
          readBefore |= !isName;
          continue;
        }
        // A row gradient is read by the updates.
        if (isName || numbers.lookup(user) == peakOp || !user->isBeforeInBlock(firstUpdate) ||
            isa<RowGradientOp, PooledRowGradientOp>(user) || readsOthersBeside(user, candidate.values))
          return false;
        if (!candidate.place || user->isBeforeInBlock(candidate.place))
          candidate.place = user;
      }
    return readBefore && candidate.place;
  }

  /// Whether an op reads lookups side by side of which the values are not all: these would have to be copied.
  static bool readsOthersBeside(Operation *user, ArrayRef<Value> values) {
    auto gradient = dyn_cast<SegmentWeightGradOp>(user);
    return gradient && llvm::any_of(gradient.getSegments(), [&](Value segment) {
             return isa_and_present<LookupOp, PooledLookupOp>(segment.getDefiningOp()) &&
                    !llvm::is_contained(values, segment);
           });
  }

  /// Adds what computes a value; of its operands those that are not in memory any more at the candidate's place, if
  /// they can be computed again. Others would stay longer.
  bool addOps(Candidate &candidate, Value value, bool products) const {
    Operation *op = value.getDefiningOp();
    if (!isPure(op, products) || numbers.lookup(op) > peakOp)
      return false;
    if (!candidate.ops.insert(op))
      return true;
    for (Value operand : op->getOperands()) {
      bool isThere = llvm::all_of(memory.buffersOf(operand), [&](unsigned home) {
        return memory.buffers()[home].last >= numbers.lookup(candidate.place);
      });
      if (operand.getDefiningOp() && (!isThere || llvm::is_contained(candidate.values, operand)))
        addOps(candidate, operand, products);
    }
    return true;
  }
};

struct Recompute : impl::RecomputeBase<Recompute> {
  using RecomputeBase::RecomputeBase;

  void runOnOperation() override {
    getOperation()->walk([&](func::FuncOp function) {
      auto updates = [&](unsigned i) { return static_cast<bool>(function.getResultAttr(i, kUpdates)); };
      if (!function.isExternal() && llvm::any_of(llvm::seq(function.getNumResults()), updates))
        fit(function);
    });
  }

  void fit(func::FuncOp function) {
    if (budget <= 0)
      return reportDeclined(function, getArgument(), "there is no budget of memory: all values are stored");
    for (bool products : {false, true})
      while (StepMemory(function).peak() > budget && applyBest(function, products))
        ;
    int64_t peak = StepMemory(function).peak();
    std::string need =
        "the step needs about " + std::to_string(peak) + " bytes, the budget is " + std::to_string(budget);
    reportDeclined(function, getArgument(),
                   need + (peak <= budget ? ": other values are stored" : ", and nothing else lowers the peak"));
  }

  /// Computes again what takes most from the peak for the time that it costs.
  bool applyBest(func::FuncOp function, bool products) {
    Step before(function);
    // Of other ops those matter that need nearly as much. Placed in the arena, buffers may need more than what is in
    // use at any one time: the peak has to fall even if it is within the budget.
    int64_t peak = before.atPeak(), goal = std::min(peak - 1, std::max<int64_t>(budget, peak - peak / 8));
    std::optional<Candidate> best;
    int64_t saved = 0;
    double most = 0;
    for (Candidate &candidate : before.candidates(products)) {
      Clones clones(candidate);
      Step after(function);
      int64_t less = before.atPeak() - after.use().inUse()[before.peakOp];
      double worth = static_cast<double>(less) / static_cast<double>(1 + timeOf(clones.work()));
      if (after.above(goal) < before.above(goal) && after.atPeak() <= before.atPeak() && worth > most) {
        best = candidate;
        saved = less;
        most = worth;
      }
      clones.undo();
    }
    if (!best)
      return false;
    Work work = Clones(*best).work();
    reportApplied(best->values.front().getDefiningOp(), getArgument(),
                  Twine(best->ops.size()) + " ops again in the backward pass, " + Twine(saved) +
                      " bytes less at the peak of memory",
                  work, {2 * work.operations, 2 * work.bytes});
    return true;
  }
};

} // namespace
} // namespace tower
