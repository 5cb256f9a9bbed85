// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/StepWork.h"
#include "dialect/Tower.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;

namespace tower {
namespace {

int64_t columnsOf(Value value) { return cast<RankedTensorType>(value.getType()).getDimSize(1); }

/// Tables, columns of the data and scalars are not read as a whole.
bool isBatch(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getRank() > 0 && (boundOf(type) || type.hasStaticShape()) && value.getDefiningOp();
}

int64_t bytesOf(Value value) {
  if (!isBatch(value))
    return 0;
  auto type = cast<RankedTensorType>(value.getType());
  int64_t elements = typicalRows(value);
  for (int64_t extent : type.getShape().drop_front())
    elements *= extent;
  return elements * static_cast<int64_t>(type.getElementTypeBitWidth() + 7) / 8;
}

/// A multiply-add counts as two operations.
int64_t product(int64_t m, int64_t n, int64_t k) { return 2 * m * n * k; }

/// The width of a first layer's input that is multiplied.
int64_t widthOf(bool skipMasked, Value mask, int64_t width) {
  return skipMasked ? std::llround(visibleShare(mask) * static_cast<double>(width)) : width;
}

int64_t operationsOf(Operation *op) {
  auto rows = [](Value value) { return typicalRows(value); };
  return llvm::TypeSwitch<Operation *, int64_t>(op)
      .Case([&](SegmentLinearOp o) {
        int64_t width = widthOf(o.getSkipMasked(), o.getMask(), rows(o.getWeight()));
        return product(rows(o.getResult()), columnsOf(o.getWeight()), width);
      })
      .Case([&](SegmentWeightGradOp o) {
        int64_t width = widthOf(o.getSkipMasked(), o.getMask(), rows(o.getResult()));
        return product(rows(o.getGradient()), columnsOf(o.getGradient()), width);
      })
      .Case([&](SegmentInputGradOp o) {
        int64_t width = widthOf(o.getSkipMasked(), o.getMask(), rows(o.getWeight()));
        return product(rows(o.getGradient()), columnsOf(o.getGradient()), width);
      })
      .Case([&](ProjectOp o) { return product(rows(o.getTable()), columnsOf(o.getWeight()), rows(o.getWeight())); })
      .Case([&](LinearOp o) { return product(rows(o.getResult()), columnsOf(o.getWeight()), rows(o.getWeight())); })
      .Case([&](MatmulOp o) {
        int64_t inner = o.getTransposeLhs() ? rows(o.getLhs()) : columnsOf(o.getLhs());
        return product(rows(o.getResult()), columnsOf(o.getResult()), inner);
      })
      .Case([&](InBatchSoftmaxOp o) { return product(rows(o.getQuery()), rows(o.getItem()), columnsOf(o.getQuery())); })
      // Scores, and a product for each side.
      .Case<InBatchSoftmaxGradOp, InBatchSoftmaxWithGradOp>(
          [&](auto o) { return 3 * product(rows(o.getQuery()), rows(o.getItem()), columnsOf(o.getQuery())); })
      .Case([&](SpreadOutOp o) { return product(rows(o.getInput()), rows(o.getInput()), columnsOf(o.getInput())); })
      .Case([&](SpreadOutGradOp o) {
        return 2 * product(rows(o.getInput()), rows(o.getInput()), columnsOf(o.getInput()));
      })
      .Default([](Operation *) { return 0; });
}

} // namespace

int64_t typicalRows(Value value) {
  if (BoundAttr bound = boundOf(value.getType()))
    return std::llround(kTypicalShare * static_cast<double>(bound.getRows()));
  return cast<RankedTensorType>(value.getType()).getDimSize(0);
}

double visibleShare(Value mask) {
  if (auto complement = mask.getDefiningOp<ComplementOp>())
    return 1 - visibleShare(complement.getMask());
  auto features = static_cast<double>(cast<RankedTensorType>(mask.getType()).getDimSize(0));
  if (auto drawn = mask.getDefiningOp<FeatureMaskOp>())
    return 1 - static_cast<double>(drawn.getCount()) / features;
  return 0.5;
}

Work workOf(Operation *op) {
  Work work{operationsOf(op), 0};
  for (Value operand : op->getOperands())
    work.bytes += bytesOf(operand);
  for (Value result : op->getResults())
    work.bytes += bytesOf(result);
  return work;
}

Work workOf(func::FuncOp function) {
  Work total;
  function.walk([&](Operation *op) {
    if (op->getName().getDialectNamespace() != "tower")
      return;
    Work work = workOf(op);
    total.operations += work.operations;
    total.bytes += work.bytes;
  });
  return total;
}

} // namespace tower
