// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/gpu/PureOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "passes/gpu/Kernels.h"

using namespace mlir;

namespace tower {

/// The buffer that `value` is a view of.
static Value bufferOf(Value value) {
  while (auto view = value.getDefiningOp<ViewLikeOpInterface>())
    value = view.getViewSource();
  return value;
}

/// A load whose memory nothing writes afterwards: it may be repeated in every kernel that wants the value.
bool PureOps::isFinalLoad(Operation *op) {
  auto load = dyn_cast<memref::LoadOp>(op);
  if (!load)
    return false;
  Block &body = function.getBody().front();
  Operation *place = body.findAncestorOpInBlock(*op);
  for (Value name : namesOf(bufferOf(load.getMemRef())))
    for (OpOperand &use : name.getUses()) {
      Operation *user = use.getOwner();
      bool writes = !isOtherName(user) && !isa<memref::LoadOp, vector::LoadOp, memref::DimOp, gpu::LaunchFuncOp,
                                               memref::ExtractAlignedPointerAsIndexOp>(user);
      Operation *ancestor = body.findAncestorOpInBlock(*user);
      if (writes && (ancestor == place || place->isBeforeInBlock(ancestor)))
        return false;
    }
  return true;
}

/// Whether it is made of what lanes exchange. Not made again: it may need values that are a lane's own.
bool PureOps::isExchanged(Operation *op) {
  auto [known, isNew] = exchanged.try_emplace(op, false);
  if (!isNew)
    return known->second;
  bool result = isa<gpu::ShuffleOp>(op) || llvm::any_of(op->getOperands(), [&](Value operand) {
                  Operation *definition = operand.getDefiningOp();
                  return definition && definition->getNumRegions() == 0 && isExchanged(definition);
                });
  return exchanged[op] = result;
}

bool PureOps::contains(Operation *op) {
  if (op->getNumRegions() > 0 || isExchanged(op))
    return false;
  return isMemoryEffectFree(op) || isFinalLoad(op);
}

bool PureOps::isWantedOutside(Value value, const DenseSet<Operation *> &inside) {
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    for (Operation *around = user; around; around = around->getParentOp())
      if (inside.contains(around))
        return false;
    return contains(user)
               ? llvm::any_of(user->getResults(), [&](Value result) { return isWantedOutside(result, inside); })
               : true;
  });
}

} // namespace tower
