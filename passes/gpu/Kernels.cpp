// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/gpu/Kernels.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace tower {

/// The largest extent that a view can have: that of what it is a view of.
static int64_t mostExtent(Value memory, unsigned dimension) {
  int64_t size = cast<MemRefType>(memory.getType()).getDimSize(dimension);
  if (!ShapedType::isDynamic(size))
    return size;
  auto view = memory.getDefiningOp<memref::SubViewOp>();
  return view && view.getSourceType().getRank() == view.getType().getRank() ? mostExtent(view.getSource(), dimension)
                                                                            : kUnknownRows;
}

int64_t tilesOf(linalg::LinalgOp product) {
  Value c = product.getDpsInits()[0];
  return llvm::divideCeil(mostExtent(c, 0), kTile) * llvm::divideCeil(mostExtent(c, 1), kTile);
}

void runLoopsInOrder(gpu::GPUFuncOp kernel) {
  kernel.walk([](scf::ParallelOp loop) {
    OpBuilder b(loop);
    auto inOrder =
        scf::ForOp::create(b, loop.getLoc(), loop.getLowerBound()[0], loop.getUpperBound()[0], loop.getStep()[0]);
    loop.getInductionVars()[0].replaceAllUsesWith(inOrder.getInductionVar());
    loop.getBody()->getTerminator()->erase();
    inOrder.getBody()->getOperations().splice(inOrder.getBody()->begin(), loop.getBody()->getOperations());
    loop.erase();
  });
}

} // namespace tower
