// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/gpu/KernelCounter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/PlanMemory.h"
#include "passes/gpu/Kernels.h"
#include "passes/lower/Emitter.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace tower {

Value rootOf(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isOtherName(op) && !isa<memref::ExtractStridedMetadataOp>(op))
      break;
    value = isa<arith::SelectOp>(op) ? op->getOperand(1) : op->getOperand(0);
  }
  return value;
}

static double bytesOfElements(Type type) {
  double count = 1;
  if (auto vector = dyn_cast<VectorType>(type)) {
    count = static_cast<double>(vector.getNumElements());
    type = vector.getElementType();
  }
  return count * static_cast<double>((type.isIndex() ? 64 : type.getIntOrFloatBitWidth() + 7) / 8);
}

/// An op's name in the dataflow, and its place in the spec.
static std::pair<std::string, std::string> originOf(Location location) {
  std::string name, place;
  if (auto named = location->findInstanceOf<NameLoc>())
    name = named.getName().str();
  if (auto at = location->findInstanceOf<FileLineColLoc>())
    place = std::to_string(at.getLine()) + ":" + std::to_string(at.getColumn());
  return {name, place};
}

KernelCounter::KernelCounter(gpu::GPUFuncOp kernel, int64_t blocks, int64_t warps)
    : kernel(kernel), estimate(kernel, blocks, warps), threads(static_cast<double>(blocks * warps * lower::kWarp)) {}

double KernelCounter::run() { return countIn(kernel.getBody().front(), threads); }

KernelCounter::Part &KernelCounter::partOf(Operation *op) {
  Part *&part = known[op->getLoc()];
  if (!part)
    part = &parts[originOf(op->getLoc())];
  return *part;
}

double KernelCounter::countIn(Block &block, double threads) {
  double nested = 0, most = 0;
  bool touchesMemory = false;
  for (Operation &op : block) {
    double waits = count(&op, threads);
    // Conditions around all of a kernel are those of kernels that were merged: a block has one of them.
    if (block.isEntryBlock() && isa<gpu::GPUFuncOp>(block.getParentOp()) && isa<scf::IfOp>(op))
      most = std::max(most, waits);
    else
      nested += waits;
    if (isa<memref::LoadOp, vector::LoadOp, memref::AtomicRMWOp, memref::GenericAtomicRMWOp>(op))
      touchesMemory |= llvm::any_of(op.getOperandTypes(), [](Type type) {
        auto memory = dyn_cast<MemRefType>(type);
        return memory && !memory.getMemorySpace(); // not shared memory
      });
  }
  return nested + most + (touchesMemory ? 1 : 0);
}

/// Gives the waits of what is inside.
double KernelCounter::count(Operation *op, double threads) {
  if (threads <= 0)
    return 0;
  if (auto loop = dyn_cast<scf::ForOp>(op)) {
    double waits = 0;
    estimate.loop(loop, [&](double trips) { waits = trips * countIn(*loop.getBody(), threads * trips); });
    return waits;
  }
  if (auto choice = dyn_cast<scf::IfOp>(op)) {
    // What data decide is taken, unless masks do.
    double share = estimate.share(choice.getCondition()).value_or(1), waits = 0;
    estimate.where(choice.getCondition(), [&] { waits = countIn(*choice.thenBlock(), threads * share); });
    if (choice.elseBlock())
      waits = std::max(waits, countIn(*choice.elseBlock(), threads * (1 - share)));
    return waits;
  }
  if (auto loop = dyn_cast<scf::WhileOp>(op))
    return kUnknownTrips * (countIn(*loop.getBeforeBody(), threads * kUnknownTrips) +
                            countIn(*loop.getAfterBody(), threads * kUnknownTrips));
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](memref::LoadOp o) { access(o, o.getMemRef(), o.getIndices(), o.getType(), true, false, threads); })
      .Case([&](vector::LoadOp o) { access(o, o.getBase(), o.getIndices(), o.getType(), true, false, threads); })
      .Case([&](memref::StoreOp o) {
        access(o, o.getMemRef(), o.getIndices(), o.getValue().getType(), false, true, threads);
      })
      .Case([&](vector::StoreOp o) {
        access(o, o.getBase(), o.getIndices(), o.getValueToStore().getType(), false, true, threads);
      })
      .Case([&](memref::AtomicRMWOp o) { access(o, o.getMemref(), o.getIndices(), o.getType(), true, true, threads); })
      .Case([&](memref::GenericAtomicRMWOp o) {
        access(o, o.getMemref(), o.getIndices(), o.getType(), true, true, threads);
      })
      .Case([&](nvgpu::DeviceAsyncCopyOp o) {
        auto elements = VectorType::get(o.getDstElements().getSExtValue(), o.getSrc().getType().getElementType());
        access(o, o.getSrc(), o.getSrcIndices(), elements, true, false, threads);
      })
      .Case([&](nvgpu::MmaSyncOp o) {
        bool isTf32 = getElementTypeOrSelf(o.getMatrixA().getType()).isF32();
        multiply(o, o.getMmaShapeAsArray(), isTf32, threads);
      })
      .Case([&](NVVM::MmaOp o) {
        auto shape = o.getShape();
        multiply(o, {shape.getM(), shape.getN(), shape.getK()}, o.getMultiplicandAPtxType() == NVVM::MMATypes::tf32,
                 threads);
      })
      .Default([&](Operation *other) { compute(other, threads); });
  return 0;
}

/// A warp multiplies tiles of m x k and k x n.
void KernelCounter::multiply(Operation *op, std::array<int64_t, 3> shape, bool isTf32, double threads) {
  double operations = 2 * static_cast<double>(shape[0] * shape[1] * shape[2]) * threads / lower::kWarp;
  (isTf32 ? partOf(op).work.tf32 : partOf(op).work.bf16) += operations;
}

void KernelCounter::access(Operation *op, Value memory, ValueRange at, Type elements, bool reads, bool writes,
                           double threads) {
  Value root = rootOf(memory);
  auto argument = dyn_cast<BlockArgument>(root);
  if (!argument || argument.getOwner() != &kernel.getBody().front() ||
      argument.getArgNumber() >= kernel.getFunctionType().getNumInputs())
    return; // shared memory
  bool ownOfLane = llvm::any_of(at, [&](Value index) { return estimate.of(index).inLanes; });
  double bytes = bytesOfElements(elements) * threads / (ownOfLane ? 1 : estimate.lanes());
  Touched &touched = partOf(op).touches[root];
  touched.read += reads ? bytes : 0;
  touched.written += writes ? bytes : 0;
}

void KernelCounter::compute(Operation *op, double threads) {
  if (op->getNumResults() != 1 || op->getNumOperands() == 0 ||
      !isa<FloatType>(getElementTypeOrSelf(op->getResult(0).getType())))
    return;
  double each = isa<math::FmaOp, vector::FMAOp>(op) ? 2
                : isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp, arith::MaximumFOp, arith::MinimumFOp,
                      arith::MaxNumFOp, arith::MinNumFOp, arith::NegFOp>(op)
                    ? 1
                : isa<math::MathDialect>(op->getDialect()) ? 1
                                                           : 0;
  if (auto vector = dyn_cast<VectorType>(op->getResult(0).getType()))
    each *= static_cast<double>(vector.getNumElements());
  if (each > 0)
    partOf(op).work.fp32 += each * threads;
}

} // namespace tower
