// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/gpu/Kernels.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "passes/Products.h"
#include "passes/lower/Emitter.h"

using namespace mlir;

namespace tower {

static int64_t mostExtent(Value memory, int64_t dimension) {
  int64_t size = cast<MemRefType>(memory.getType()).getDimSize(dimension);
  return ShapedType::isDynamic(size) ? sizeLimit(memory, dimension).value_or(kUnknownRows) : size;
}

int64_t tilesOf(linalg::LinalgOp product, ProductTile tile) {
  Value c = product.getDpsInits()[0];
  return llvm::divideCeil(mostExtent(c, 0), tile.rows) * llvm::divideCeil(mostExtent(c, 1), tile.columns);
}

ProductTile tileOf(linalg::LinalgOp product) {
  constexpr int64_t multiprocessors = 108; // of an A100; an H100 has 132
  for (ProductTile tile : {ProductTile{128, 128}, ProductTile{128, 64}})
    if (tilesOf(product, tile) >= multiprocessors)
      return tile;
  return {64, 64};
}

bool isOtherName(Operation *op) { return isa<ViewLikeOpInterface, memref::CastOp, arith::SelectOp>(op); }

SmallVector<Value> namesOf(Value memory) {
  SmallVector<Value> names{memory};
  for (size_t i = 0; i < names.size(); ++i)
    for (Operation *user : names[i].getUsers())
      if (isOtherName(user))
        llvm::append_range(names, user->getResults());
  return names;
}

gpu::GPUFuncOp makeKernel(ImplicitLocOpBuilder &b, const Twine &name, TypeRange types) {
  auto kernel = gpu::GPUFuncOp::create(b, name.str(), b.getFunctionType(types, {}));
  kernel->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), b.getUnitAttr());
  b.setInsertionPointToEnd(&kernel.getBody().front());
  b.setInsertionPoint(gpu::ReturnOp::create(b));
  return kernel;
}

Value addShared(gpu::GPUFuncOp kernel, int64_t floats) {
  OpBuilder b(kernel);
  auto space = gpu::AddressSpaceAttr::get(b.getContext(), gpu::AddressSpace::Workgroup);
  Value shared =
      kernel.addWorkgroupAttribution(MemRefType::get({floats}, b.getF32Type(), AffineMap(), space), kernel.getLoc());
  kernel.setWorkgroupAttributionAttr(kernel.getNumWorkgroupAttributions() - 1, LLVM::LLVMDialect::getAlignAttrName(),
                                     b.getI64IntegerAttr(16));
  return shared;
}

void launchKernel(ImplicitLocOpBuilder &b, gpu::GPUFuncOp kernel, int64_t blocks, int64_t warps, ValueRange operands) {
  auto size = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(b, value); };
  gpu::LaunchFuncOp::create(b, kernel, gpu::KernelDim3{size(blocks), size(1), size(1)},
                            gpu::KernelDim3{size(lower::kWarp), size(warps), size(1)},
                            /*dynamicSharedMemorySize=*/Value(), operands);
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
