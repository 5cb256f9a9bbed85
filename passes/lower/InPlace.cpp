// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/lower/InPlace.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace tower::lower {

std::vector<const void *> LayerInput::key() const {
  std::vector<const void *> key{reinterpret_cast<const void *>(uintptr_t(skipMasked)), mask.getAsOpaquePointer()};
  for (OperandRange values : {segments, defaults})
    for (Value value : values)
      key.push_back(value.getAsOpaquePointer());
  return key;
}

InPlace::InPlace(func::FuncOp function, function_ref<bool(Value)> isResult) {
  function.walk([&](StackOp stack) {
    if (!cast<RankedTensorType>(stack.getType()).hasStaticShape())
      return;
    int64_t from = 0;
    for (Value part : stack.getInputs()) {
      auto type = cast<RankedTensorType>(part.getType());
      if (type.getRank() == 2 && part.getDefiningOp() && !isResult(part))
        parts.try_emplace(part, Part{stack, from});
      from += type.getDimSize(0);
    }
  });
  function.walk([&](SegmentLinearOp layer) { addSegments(layer); });
  // Of lookups that are computed again for the gradient alone.
  function.walk([&](SegmentWeightGradOp gradient) { addSegments(gradient); });
}

// Lookups that nothing reads but this layer and its weight's gradient, at one place.
template <class Op> void InPlace::addSegments(Op reader) {
  LayerInput input(reader);
  if (!input.isMatrix())
    return;
  auto key = input.key();
  auto readsTheSame = [&](Operation *user) {
    return TypeSwitch<Operation *, bool>(user)
        .Case<SegmentLinearOp, SegmentWeightGradOp>([&](auto other) { return LayerInput(other).key() == key; })
        .Default([](Operation *) { return false; });
  };
  for (auto [f, segment] : llvm::enumerate(input.segments)) {
    Operation *op = segment.getDefiningOp();
    bool fits = op && TypeSwitch<Operation *, bool>(op)
                          .Case<LookupOp, PooledLookupOp>([&](auto lookup) {
                            return lookup.getMask() == input.mask && (!input.mask || *lookup.getFeature() == f);
                          })
                          .Case([&](DenseOp) { return !input.mask; })
                          .Default([](Operation *) { return false; });
    if (fits && llvm::all_of(op->getUsers(), readsTheSame) && llvm::count(input.segments, segment) == 1)
      segments.try_emplace(segment, Segment{input, static_cast<unsigned>(f)});
  }
}

const InPlace::Segment *InPlace::segment(Value value) const {
  auto found = segments.find(value);
  return found == segments.end() ? nullptr : &found->second;
}

const InPlace::Part *InPlace::part(Value value) const {
  auto found = parts.find(value);
  return found == parts.end() ? nullptr : &found->second;
}

} // namespace tower::lower
