// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/gpu/KernelWork.h"
#include "dialect/Tower.h"
#include "mlir/IR/Matchers.h"
#include "passes/PlanMemory.h"
#include "passes/Products.h"
#include "passes/StepWork.h"
#include "passes/gpu/KernelCounter.h"

using namespace mlir;

namespace tower {
namespace {

double bytesOfMemory(Value memory) {
  auto type = cast<MemRefType>(memory.getType());
  return type.hasStaticShape() ? static_cast<double>(bytesOf(type)) : std::numeric_limits<double>::infinity();
}

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
  KernelCounter counter(kernel, result.blocks, result.warps);
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
