// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/oracle/Draws.h"
#include "test/oracle/Oracle.h"

#include <set>

using namespace mlir;
using namespace tower;
using namespace tower::oracle;

namespace {

class Draws {
public:
  Draws(ModuleOp module, const Environment &values) : values(values) {
    for (auto model : module.getOps<ModelOp>()) {
      for (auto loss : model.getBody().getOps<ContrastiveLossOp>())
        views[loss.getSymName().str()] = loss.getViews();
      for (auto loss : model.getBody().getOps<InBatchSoftmaxLossOp>())
        softmax.insert(loss.getSymName().str());
    }
  }

  void take(SamplePairsOp op, func::FuncOp function) {
    result["rows/pairs"] = values[op.getPositions()];
    for (Operation *user : op.getPositions().getUsers())
      if (auto taken = dyn_cast<TakeOp>(user))
        if (auto column = dyn_cast<BlockArgument>(taken.getColumn()))
          for (const char *part : {"query", "item"})
            if (argumentKey(function, column.getArgNumber()) == std::string("pairs/") + part)
              result[std::string("rows/") + part] = values[taken.getResult()];
  }

  void take(SampleUniformOp op) {
    StringRef loss = op.getStream();
    if (loss.consume_back("/items"))
      result["rows/" + loss.str()] = values[op.getRows()];
  }

  // Streams: LOSS/mask, or LOSS/1/mask and LOSS/2/mask where masks are independent.
  void take(FeatureMaskOp op) {
    StringRef stream = op.getStream();
    const Tensor &mask = values[op.getMask()];
    if (!stream.consume_back("/mask"))
      return;
    std::string loss = stream.str();
    if (softmax.count(loss)) {
      result["mask/" + loss + "/item"] = mask;
    } else if (!views.count(loss)) {
      result["mask/" + loss] = mask;
    } else {
      result["mask/" + loss + "/1"] = mask;
      Tensor &second = result["mask/" + loss + "/2"] = mask;
      if (views[loss] == Views::complementary)
        for (int64_t &bit : second.integers)
          bit = 1 - bit;
    }
  }

  std::map<std::string, Tensor> result;

private:
  const Environment &values;
  std::map<std::string, Views> views; ///< Of contrastive losses.
  std::set<std::string> softmax;
};

} // namespace

std::map<std::string, Tensor> oracle::drawsOf(ModuleOp module, func::FuncOp function, const Environment &values) {
  Draws draws(module, values);
  function.walk([&](Operation *op) {
    if (!llvm::all_of(op->getResults(), [&](mlir::Value value) { return values.has(value); }))
      return;
    if (auto sample = dyn_cast<SamplePairsOp>(op))
      draws.take(sample, function);
    else if (auto uniform = dyn_cast<SampleUniformOp>(op))
      draws.take(uniform);
    else if (auto mask = dyn_cast<FeatureMaskOp>(op))
      draws.take(mask);
  });
  return draws.result;
}
