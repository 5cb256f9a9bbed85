// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/gpu/KernelWork.h"
#include "dialect/Tower.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "passes/PlanMemory.h"
#include "passes/Products.h"
#include "passes/StepWork.h"
#include "passes/gpu/Estimate.h"
#include "passes/gpu/Kernels.h"
#include "passes/lower/Emitter.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/TypeSwitch.h"

#include <array>
#include <map>

using namespace mlir;

namespace tower {
namespace {

/// Bytes of some memory that are read and written.
struct Touched {
  double read = 0, written = 0;
};
using Touches = llvm::SmallMapVector<Value, Touched, 8>;

/// Memory that `value` is another name of.
Value rootOf(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isOtherName(op) && !isa<memref::ExtractStridedMetadataOp>(op))
      break;
    value = isa<arith::SelectOp>(op) ? op->getOperand(1) : op->getOperand(0);
  }
  return value;
}

double bytesOfMemory(Value memory) {
  auto type = cast<MemRefType>(memory.getType());
  return type.hasStaticShape() ? static_cast<double>(bytesOf(type)) : std::numeric_limits<double>::infinity();
}

double bytesOfElements(Type type) {
  double count = 1;
  if (auto vector = dyn_cast<VectorType>(type)) {
    count = static_cast<double>(vector.getNumElements());
    type = vector.getElementType();
  }
  return count * static_cast<double>((type.isIndex() ? 64 : type.getIntOrFloatBitWidth() + 7) / 8);
}

/// An op's name in the dataflow, and its place in the spec.
std::pair<std::string, std::string> originOf(Location location) {
  std::string name, place;
  if (auto named = location->findInstanceOf<NameLoc>())
    name = named.getName().str();
  if (auto at = location->findInstanceOf<FileLineColLoc>())
    place = std::to_string(at.getLine()) + ":" + std::to_string(at.getColumn());
  return {name, place};
}

/// Counts one kernel.
class Counter {
public:
  Counter(gpu::GPUFuncOp kernel, int64_t blocks, int64_t warps)
      : kernel(kernel), estimate(kernel, blocks, warps), threads(static_cast<double>(blocks * warps * lower::kWarp)) {}

  /// Counts all; the waits of the warp that has most.
  double run() { return countIn(kernel.getBody().front(), threads); }

  struct Part {
    GpuWork work;
    Touches touches;
  };
  std::map<std::pair<std::string, std::string>, Part> parts; ///< By what originOf says.

private:
  double countIn(Block &block, double threads);
  double count(Operation *op, double threads);
  void access(Operation *op, Value memory, ValueRange at, Type elements, bool reads, bool writes, double threads);
  void multiply(Operation *op, std::array<int64_t, 3> shape, bool isTf32, double threads);
  void compute(Operation *op, double threads);
  Part &partOf(Operation *op);

  gpu::GPUFuncOp kernel;
  Estimate estimate;
  double threads;
  llvm::DenseMap<Location, Part *> known;
};

Counter::Part &Counter::partOf(Operation *op) {
  Part *&part = known[op->getLoc()];
  if (!part)
    part = &parts[originOf(op->getLoc())];
  return *part;
}

double Counter::countIn(Block &block, double threads) {
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
double Counter::count(Operation *op, double threads) {
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
void Counter::multiply(Operation *op, std::array<int64_t, 3> shape, bool isTf32, double threads) {
  double operations = 2 * static_cast<double>(shape[0] * shape[1] * shape[2]) * threads / lower::kWarp;
  (isTf32 ? partOf(op).work.tf32 : partOf(op).work.bf16) += operations;
}

void Counter::access(Operation *op, Value memory, ValueRange at, Type elements, bool reads, bool writes,
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

void Counter::compute(Operation *op, double threads) {
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

// ---- Launches ------------------------------------------------------------------------------------------------------

int64_t constant(Value value, int64_t otherwise) {
  APInt found;
  return matchPattern(value, m_ConstantInt(&found)) ? found.getSExtValue() : otherwise;
}

int64_t timesOf(Operation *launch) {
  int64_t times = 1;
  for (auto loop = launch->getParentOfType<scf::ForOp>(); loop; loop = loop->getParentOfType<scf::ForOp>()) {
    int64_t step = constant(loop.getStep(), 1);
    times *= llvm::divideCeil(constant(loop.getUpperBound(), step) - constant(loop.getLowerBound(), 0), step);
  }
  return times;
}

class StepCounter {
public:
  void add(gpu::LaunchFuncOp launch);
  void finish(Block &arguments);

  DeviceStep step;

private:
  Touches most; ///< By the function's operands: what the kernel that does most does.
};

void StepCounter::add(gpu::LaunchFuncOp launch) {
  auto kernel = cast<gpu::GPUFuncOp>(SymbolTable::lookupNearestSymbolFrom(launch, launch.getKernelAttr()));
  KernelWork result;
  result.kernel = kernel.getName().str();
  result.times = timesOf(launch);
  result.blocks = constant(launch.getGridSizeX(), 1);
  result.warps = constant(launch.getBlockSizeY(), 1);
  for (BlockArgument shared : kernel.getWorkgroupAttributions())
    result.sharedBytes += bytesOf(cast<MemRefType>(shared.getType()));
  Counter counter(kernel, result.blocks, result.warps);
  result.waits = counter.run();
  // What a part touches, and what all do, is not more than there is.
  Touches all;
  for (auto &[origin, part] : counter.parts) {
    for (auto &[memory, touched] : part.touches) {
      double bytes = bytesOfMemory(memory);
      touched = {std::min(touched.read, bytes), std::min(touched.written, bytes)};
      part.work.read += touched.read;
      part.work.written += touched.written;
      all[memory].read += touched.read;
      all[memory].written += touched.written;
    }
    result.work.fp32 += part.work.fp32;
    result.work.tf32 += part.work.tf32;
    result.work.bf16 += part.work.bf16;
    if (part.work.bytes() > 0 || part.work.operations() > 0)
      result.parts.push_back({origin.first, origin.second, part.work});
  }
  for (auto &[memory, touched] : all) {
    double bytes = bytesOfMemory(memory);
    touched = {std::min(touched.read, bytes), std::min(touched.written, bytes)};
    result.work.read += touched.read;
    result.work.written += touched.written;
    Value operand = rootOf(launch.getKernelOperands()[cast<BlockArgument>(memory).getArgNumber()]);
    Touched &before = most[operand];
    before = {std::max(before.read, touched.read), std::max(before.written, touched.written)};
  }
  step.kernels.push_back(std::move(result));
}

void StepCounter::finish(Block &body) {
  // The arena, which tower-plan-memory adds, is behind them.
  for (auto &[memory, touched] : most)
    if (auto argument = dyn_cast<BlockArgument>(memory);
        argument && argument.getOwner() == &body && argument.getArgNumber() + 1 < body.getNumArguments()) {
      step.compulsory.read += touched.read;
      step.compulsory.written += touched.written;
    }
}

} // namespace

double secondsOf(const GpuWork &work, const GpuRates &rates) {
  return std::max(work.bytes() / rates.bytes, work.fp32 / rates.fp32 + work.tf32 / rates.tf32 + work.bf16 / rates.bf16);
}

bool isBoundByOperations(const GpuWork &work, const GpuRates &rates) {
  return secondsOf(work, rates) > work.bytes() / rates.bytes;
}

GpuWork necessaryOperations(func::FuncOp function) {
  GpuWork work;
  bool bf16 = function->getParentOfType<ModuleOp>()->hasAttr(kBf16Attr);
  function.walk([&](Operation *op) {
    auto operations = static_cast<double>(workOf(op).operations);
    // Products of losses are of single precision (docs/Rationale.md).
    bool ofLayer = isa<SegmentLinearOp, SegmentWeightGradOp, SegmentInputGradOp, ProjectOp, LinearOp, MatmulOp>(op);
    if (bf16 && ofLayer)
      work.bf16 += operations;
    else
      work.tf32 += kTf32Products * operations;
  });
  return work;
}

GpuWork &GpuWork::operator+=(const GpuWork &more) {
  read += more.read;
  written += more.written;
  fp32 += more.fp32;
  tf32 += more.tf32;
  bf16 += more.bf16;
  return *this;
}

int64_t DeviceStep::launches() const {
  int64_t sum = 0;
  for (const KernelWork &kernel : kernels)
    sum += kernel.times;
  return sum;
}

GpuWork DeviceStep::total() const {
  GpuWork sum;
  for (const KernelWork &kernel : kernels)
    for (int64_t i = 0; i < kernel.times; ++i)
      sum += kernel.work;
  return sum;
}

DeviceStep workOfKernels(func::FuncOp function) {
  StepCounter counter;
  function.walk([&](gpu::LaunchFuncOp launch) { counter.add(launch); });
  function.walk([&](gpu::MemcpyOp) { ++counter.step.copies; });
  counter.finish(function.getBody().front());
  return counter.step;
}

} // namespace tower
