// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/differential/Checks.h"

#include <set>

using namespace mlir;
using namespace tower;
using namespace tower::differential;
using namespace tower::oracle;

static bool repeats(const Tensor &ids) {
  return std::set<int64_t>(ids.integers.begin(), ids.integers.end()).size() < ids.integers.size();
}

static void countSoftmax(InBatchSoftmaxOp op, const Environment &values, Coverage &coverage) {
  if (op.getIds() && repeats(values[op.getIds()]))
    coverage.countCase("accidental hits are left out");
  if (op.getQueryIds() && repeats(values[op.getQueryIds()]))
    coverage.countCase("positives of the same query are left out");
  if (values[op.getItem()].extent(0) > values[op.getQuery()].extent(0))
    coverage.countCase("more columns than rows in a softmax");
}

static void countPooled(PooledLookupOp op, const Environment &values, Coverage &coverage) {
  const Tensor &offsets = values[op.getOffsets()];
  for (int64_t row : values[op.getRows()].integers)
    if (offsets.integers[row] == offsets.integers[row + 1])
      coverage.countCase("a row without values is pooled");
  if (op.getDropout())
    coverage.countCase("values are dropped");
}

static void countMasked(SegmentLinearOp op, const Environment &values, Coverage &coverage) {
  if (!op.getMask())
    return;
  for (auto [masked, segment] : llvm::zip(values[op.getMask()].integers, op.getSegments()))
    if (masked)
      coverage.countCase(segment.getDefiningOp<DenseOp>() ? "numbers are masked" : "embeddings are masked");
}

void differential::countCases(TestModel &model, const Environment &values, Coverage &coverage) {
  func::FuncOp function = model.trainStep(*model.gradient);
  function.walk([&](Operation *op) {
    if (!llvm::all_of(op->getResults(), [&](mlir::Value value) { return values.has(value); }))
      return;
    if (auto softmax = dyn_cast<InBatchSoftmaxOp>(op))
      countSoftmax(softmax, values, coverage);
    if (auto pooled = dyn_cast<PooledLookupOp>(op))
      countPooled(pooled, values, coverage);
    if (auto segments = dyn_cast<SegmentLinearOp>(op))
      countMasked(segments, values, coverage);
    if (auto lookup = dyn_cast<LookupOp>(op))
      for (int64_t row : values[lookup.getRows()].integers)
        if (values[lookup.getIds()].integers[row] == 0)
          coverage.countCase("a missing value is looked up");
    if (auto clip = dyn_cast<ClipScaleOp>(op))
      coverage.countCase(values[clip.getScale()].real() < 1 ? "gradients are clipped" : "gradients are not clipped");
  });
  const spec::Model &spec = model.spec->model;
  std::map<std::string, int> users; // of tables
  for (const spec::Entity &entity : spec.entities())
    for (const spec::Feature &feature : entity.features())
      if (!feature.has_dense())
        ++users[feature.has_single() ? feature.single().table() : feature.multi().table()];
  for (const auto &[table, count] : users)
    if (count > 1)
      coverage.countCase("features share a table");
  for (const spec::Tower &tower : spec.towers())
    coverage.countCase("towers of " + std::to_string(tower.layers_size()) + " layers");
  for (const spec::Loss &loss : spec.losses())
    if (loss.has_in_batch_softmax())
      coverage.countCase(loss.in_batch_softmax().query() == loss.in_batch_softmax().item() ? "siamese towers"
                                                                                           : "two towers");
  if (spec.losses_size() > 2)
    coverage.countCase("three losses or more");
  if (spec.training().dense().weight_decay() > 0)
    coverage.countCase("weight decay");
  if (spec.training().batch() % 16)
    coverage.countCase("a batch that is no multiple of 16");
}
