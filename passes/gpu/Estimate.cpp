// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/gpu/Estimate.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"
#include "passes/Products.h"
#include "passes/StepWork.h"
#include "passes/gpu/KernelWork.h"
#include "passes/lower/Emitter.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;

namespace tower {
namespace {

Spread combine(Spread a, Spread b, llvm::function_ref<double(double, double)> what) {
  bool inLanes = a.inLanes || b.inLanes;
  if (!a.known || !b.known)
    return Spread::unknown(inLanes);
  double corners[] = {what(a.low, b.low), what(a.low, b.high), what(a.high, b.low), what(a.high, b.high)};
  return {*std::min_element(corners, corners + 4), *std::max_element(corners, corners + 4), true, inLanes};
}

/// Of an evenly spread integer x: the share below `limit`.
double shareBelow(Spread x, double limit) { return std::clamp((limit - x.low) / (x.high - x.low + 1), 0.0, 1.0); }

} // namespace

Estimate::Estimate(gpu::GPUFuncOp kernel, int64_t blocks, int64_t warps)
    : blocks(blocks),
      warps(warps), block{0, static_cast<double>(blocks - 1), true, false}, warp{0, static_cast<double>(warps - 1),
                                                                                 true, false} {
  // A number of rows that only the device knows is not above the rows of the memory that has them. A number of columns
  // is what a mask leaves.
  kernel.walk([&](OffsetSizeAndStrideOpInterface part) {
    auto source = cast<MemRefType>(part->getOperand(0).getType());
    for (auto [i, size] : llvm::enumerate(part.getMixedSizes()))
      if (auto value = llvm::dyn_cast_if_present<Value>(size);
          value && static_cast<int64_t>(i) < source.getRank() && !source.isDynamicDim(i)) {
        double likely = std::round((i == 0 ? kTypicalShare : 0.5) * static_cast<double>(source.getDimSize(i)));
        auto [known, isNew] = typical.try_emplace(value, likely);
        if (!isNew)
          known->second = std::min(known->second, likely);
      }
  });
}

Spread Estimate::of(Value value) {
  if (auto known = fixed.find(value); known != fixed.end())
    return known->second;
  if (auto known = found.find(value); known != found.end())
    return known->second;
  Spread spread = compute(value);
  if (auto likely = typical.find(value); !spread.known && likely != typical.end())
    spread = {likely->second, likely->second, true, spread.inLanes};
  return found[value] = spread;
}

Spread Estimate::compute(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return Spread::unknown(false);
  if (APInt number; matchPattern(value, m_ConstantInt(&number)))
    return Spread::exactly(static_cast<double>(number.getSExtValue()));
  if (auto id = dyn_cast<gpu::ThreadIdOp>(op))
    return id.getDimension() == gpu::Dimension::x ? lane : warp;
  if (isa<gpu::BlockIdOp>(op))
    return block;
  if (isa<gpu::GridDimOp>(op))
    return Spread::exactly(static_cast<double>(blocks));
  if (auto id = dyn_cast<gpu::BlockDimOp>(op))
    return Spread::exactly(id.getDimension() == gpu::Dimension::x ? lower::kWarp : static_cast<double>(warps));
  if (auto dim = dyn_cast<memref::DimOp>(op))
    if (std::optional<int64_t> index = dim.getConstantIndex())
      if (std::optional<int64_t> most = sizeLimit(dim.getSource(), *index))
        return Spread::exactly(std::round(kTypicalShare * static_cast<double>(*most)));
  return arithmetic(op);
}

Spread Estimate::arithmetic(Operation *op) {
  auto operand = [&](unsigned i) { return of(op->getOperand(i)); };
  auto two = [&](llvm::function_ref<double(double, double)> what) { return combine(operand(0), operand(1), what); };
  auto quotient = [](double x, double y) { return y == 0 ? 0 : std::floor(x / y); };
  return llvm::TypeSwitch<Operation *, Spread>(op)
      .Case<arith::IndexCastOp, arith::IndexCastUIOp, arith::ExtUIOp, arith::ExtSIOp, arith::TruncIOp>(
          [&](auto) { return operand(0); })
      .Case<arith::AddIOp>([&](auto) { return two([](double x, double y) { return x + y; }); })
      .Case<arith::SubIOp>([&](auto) { return two([](double x, double y) { return x - y; }); })
      .Case<arith::MulIOp>([&](auto) { return two([](double x, double y) { return x * y; }); })
      .Case<arith::DivUIOp, arith::DivSIOp, arith::FloorDivSIOp>([&](auto) { return two(quotient); })
      .Case<arith::CeilDivUIOp, arith::CeilDivSIOp>(
          [&](auto) { return two([](double x, double y) { return y == 0 ? 0 : std::ceil(x / y); }); })
      .Case<arith::MinUIOp, arith::MinSIOp>(
          [&](auto) { return two([](double x, double y) { return std::min(x, y); }); })
      .Case<arith::MaxUIOp, arith::MaxSIOp>(
          [&](auto) { return two([](double x, double y) { return std::max(x, y); }); })
      .Case<arith::RemUIOp, arith::RemSIOp>([&](auto) {
        Spread x = operand(0), y = operand(1);
        if (!x.known || !y.isOne() || y.low <= 0)
          return Spread::unknown(x.inLanes || y.inLanes);
        if (quotient(x.low, y.low) == quotient(x.high, y.low))
          return Spread{std::fmod(x.low, y.low), std::fmod(x.high, y.low), true, x.inLanes};
        return Spread{0, y.low - 1, true, x.inLanes};
      })
      .Default([&](Operation *other) {
        bool inLanes = llvm::any_of(other->getOperands(), [&](Value value) { return of(value).inLanes; });
        // What the last lane has, all have.
        if (auto shuffle = dyn_cast<gpu::ShuffleOp>(other))
          inLanes = shuffle.getMode() != gpu::ShuffleMode::IDX;
        return Spread::unknown(inLanes);
      });
}

std::optional<double> Estimate::share(Value condition) {
  Operation *op = condition.getDefiningOp();
  if (APInt truth; op && matchPattern(condition, m_ConstantInt(&truth)))
    return truth.isZero() ? 0 : 1;
  if (auto both = dyn_cast_if_present<arith::AndIOp>(op)) {
    // The second one where the first holds: both may be of the same number.
    std::optional<double> x = share(both.getLhs()), y;
    where(both.getLhs(), [&] { y = share(both.getRhs()); });
    return x && y ? *x * *y : x ? x : y;
  }
  if (auto either = dyn_cast_if_present<arith::OrIOp>(op)) {
    std::optional<double> x = share(either.getLhs()), y = share(either.getRhs());
    return x && y ? std::optional(1 - (1 - *x) * (1 - *y)) : std::nullopt;
  }
  if (auto other = dyn_cast_if_present<arith::XOrIOp>(op))
    if (matchPattern(other.getRhs(), m_One()))
      if (std::optional<double> x = share(other.getLhs()))
        return 1 - *x;
  auto compare = dyn_cast_if_present<arith::CmpIOp>(op);
  if (!compare)
    return std::nullopt;
  // Bytes in memory are masks.
  if (auto load = compare.getLhs().getDefiningOp<memref::LoadOp>(); load && load.getType().isInteger(8))
    return 0.5;
  Spread x = of(compare.getLhs()), y = of(compare.getRhs());
  if (!x.known || !y.known)
    return std::nullopt;
  double limit = y.mean(), equal = shareBelow(x, limit + 1) - shareBelow(x, limit);
  switch (compare.getPredicate()) {
  case arith::CmpIPredicate::eq:
    return equal;
  case arith::CmpIPredicate::ne:
    return 1 - equal;
  case arith::CmpIPredicate::slt:
  case arith::CmpIPredicate::ult:
    return shareBelow(x, limit);
  case arith::CmpIPredicate::sle:
  case arith::CmpIPredicate::ule:
    return shareBelow(x, limit + 1);
  case arith::CmpIPredicate::sgt:
  case arith::CmpIPredicate::ugt:
    return 1 - shareBelow(x, limit + 1);
  case arith::CmpIPredicate::sge:
  case arith::CmpIPredicate::uge:
    return 1 - shareBelow(x, limit);
  }
  return std::nullopt;
}

/// Takes from the spread of what a condition compares what does not fulfil it.
void Estimate::narrow(Value condition) {
  if (auto both = condition.getDefiningOp<arith::AndIOp>()) {
    narrow(both.getLhs());
    narrow(both.getRhs());
  }
  auto compare = condition.getDefiningOp<arith::CmpIOp>();
  if (!compare)
    return;
  Spread x = of(compare.getLhs()), y = of(compare.getRhs());
  if (!x.known || !y.isOne())
    return;
  switch (compare.getPredicate()) {
  case arith::CmpIPredicate::eq:
    x.low = x.high = y.low;
    x.inLanes = false;
    break;
  case arith::CmpIPredicate::slt:
  case arith::CmpIPredicate::ult:
    x.high = std::max(x.low, std::min(x.high, y.low - 1));
    break;
  case arith::CmpIPredicate::sge:
  case arith::CmpIPredicate::uge:
    x.low = std::min(x.high, std::max(x.low, y.low));
    break;
  default:
    return;
  }
  Operation *op = compare.getLhs().getDefiningOp();
  if (isa_and_present<gpu::BlockIdOp>(op))
    block = x;
  else if (auto id = dyn_cast_if_present<gpu::ThreadIdOp>(op))
    (id.getDimension() == gpu::Dimension::x ? lane : warp) = x;
  fixed[compare.getLhs()] = x;
  found.clear();
}

void Estimate::where(Value condition, function_ref<void()> body) {
  Known outside = fixed, followed = found;
  Spread outerBlock = block, outerWarp = warp, outerLane = lane;
  narrow(condition);
  body();
  fixed = std::move(outside);
  found = std::move(followed);
  block = outerBlock;
  warp = outerWarp;
  lane = outerLane;
}

double Estimate::trips(scf::ForOp op) {
  Spread from = of(op.getLowerBound()), to = of(op.getUpperBound()), step = of(op.getStep());
  if (!from.known || !step.known || step.mean() < 1)
    return kUnknownTrips;
  double stride = step.mean(), last = to.mean();
  bool shared = from.high - from.low + 1 > 1;
  if (!to.known) {
    // Threads that share rows are as many as there may be rows.
    if (!shared || from.inLanes)
      return kUnknownTrips / (from.inLanes ? lower::kWarp : 1);
    last = std::round(kTypicalShare * stride);
  }
  auto tripsFrom = [&](double first) { return std::max(0.0, std::ceil((last - first) / stride)); };
  if (!shared)
    return tripsFrom(from.low);
  // The mean over some of the values that the spread has.
  constexpr double kMost = 512;
  double count = std::min(from.high - from.low + 1, kMost), sum = 0;
  for (double i = 0; i < count; ++i)
    sum += tripsFrom(std::floor(from.low + (i + 0.5) / count * (from.high - from.low + 1)));
  return sum / count;
}

void Estimate::loop(scf::ForOp op, function_ref<void(double)> body) {
  Spread from = of(op.getLowerBound()), to = of(op.getUpperBound());
  double count = trips(op);
  Known outside = fixed, followed = found;
  bool inLanes = from.inLanes || to.inLanes;
  Spread variable = Spread::unknown(inLanes);
  if (from.known && to.known && to.high > from.low) {
    // Together threads that begin apart have all of what is below the end; one has each step-th.
    Spread step = of(op.getStep());
    bool alone = from.isOne() && step.isOne() && step.low >= 1;
    double last = alone ? from.low + std::floor((to.high - 1 - from.low) / step.low) * step.low : to.high - 1;
    variable = {from.low, last, true, inLanes};
  }
  fixed[op.getInductionVar()] = variable;
  for (auto [argument, initial] : llvm::zip(op.getRegionIterArgs(), op.getInitArgs()))
    fixed[argument] = Spread::unknown(of(initial).inLanes);
  body(count);
  fixed = std::move(outside);
  found = std::move(followed);
}

} // namespace tower
