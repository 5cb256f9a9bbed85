// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A feature f of few values enters the first layer as one of few products. Its table times its part of the weight is a
// table of them, T_f = E_f W_f, made once for a step, and looked up and summed instead of multiplied:
//
//     Y = sum_{others} X W + b + sum_f pool(T_f[ids])
//
// Back, tower.project's adjoint sums dY by value and multiplies the sums with W_f and E_f. What is saved are two
// products forward and back for each row of the layer less those for each row of the table; what is paid is that rows
// as wide as the layer are moved instead of rows as wide as the table.
#include "dialect/Tower.h"
#include "passes/Passes.h"
#include "passes/StepWork.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>

using namespace mlir;

namespace tower {
#define GEN_PASS_DEF_PROJECTVOCABULARIES
#include "passes/Passes.h.inc"

namespace {

constexpr int64_t kElement = sizeof(float);

/// Operations of products that take the time of moving a byte that caches have, of moving another one, and of a
/// feature's loops and products of its own in a training step; these cost a quarter where nothing is differentiated.
struct Costs {
  int64_t cachedByte, byte, start;
};
/// Measured with test/benchmarks/vocabularies.json and models like it: tables of products that many rows look up, and
/// rows that were just written, come from caches; what is as long as the table and read once does not. A start is 50
/// us.
constexpr Costs kProcessor{1, kOperationsPerByte, 10'000'000};
/// From peaks of an A100 and an H100, where fp32 is three products of TF32: 25 and 49 operations a byte, twice the rate
/// from caches. A start is five launches of 2 us.
constexpr Costs kGpu{16, 32, 1'000'000'000};

int64_t rowsOf(Value value) { return cast<RankedTensorType>(value.getType()).getDimSize(0); }
int64_t columnsOf(Value value) { return cast<RankedTensorType>(value.getType()).getDimSize(1); }

/// Layers without masks that have one weight: applications of one encoder.
using Layers = SmallVector<SegmentLinearOp>;

/// A feature of such layers.
struct Feature {
  unsigned number = 0;
  int64_t width = 0;
  Value table;
  SmallVector<Operation *> lookups; ///< By layer.
  Work before, after;
  int64_t timeBefore = 0, timeAfter = 0; ///< In the time of operations.

  int64_t gain() const { return timeBefore - timeAfter; }
};

/// The table that a segment is looked up in, by this layer alone; null for others.
Value tableOf(Value segment) {
  Operation *op = segment.getDefiningOp();
  if (!op || !segment.hasOneUse())
    return {};
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case<LookupOp, PooledLookupOp>([](auto o) { return o.getMask() || o.getOnto() ? Value() : o.getTable(); })
      .Default(Value());
}

/// Values of a row, as the lowering of pooled lookups takes them to be.
int64_t typicalValues(Operation *lookup) {
  auto pooled = dyn_cast<PooledLookupOp>(lookup);
  return pooled ? 1 + static_cast<int64_t>(pooled.getLongest()) / 4 : 1;
}

/// `lookup` in another table, added to `onto` if that is not null.
Value lookUp(OpBuilder &builder, Operation *lookup, Value table, Value onto, Type type) {
  Operation *clone = builder.clone(*lookup);
  clone->getResult(0).setType(type);
  llvm::TypeSwitch<Operation *>(clone).Case<LookupOp, PooledLookupOp>([&](auto op) {
    op.getTableMutable().assign(table);
    if (onto)
      op.getOntoMutable().assign(onto);
  });
  return clone->getResult(0);
}

struct ProjectVocabularies : impl::ProjectVocabulariesBase<ProjectVocabularies> {
  using ProjectVocabulariesBase::ProjectVocabulariesBase;

  void runOnOperation() override {
    llvm::MapVector<Value, Layers> encoders;
    getOperation()->walk([&](SegmentLinearOp layer) {
      if (layer.getMask())
        return reportDeclined(layer, getArgument(), "what a mask leaves of its features is known when the step runs");
      if (!layer.getOnto())
        encoders[layer.getWeight()].push_back(layer);
    });
    for (auto &[weight, layers] : encoders)
      decide(weight, layers);
  }

  const Costs &costs() const { return gpu ? kGpu : kProcessor; }

  void decide(Value weight, Layers &layers) {
    bool trained = llvm::any_of(weight.getUsers(), [](Operation *user) { return isa<GradientOp>(user); });
    unsigned segments = layers.front().getSegments().size();
    SmallVector<Feature> chosen;
    for (unsigned f = 0; f < segments; ++f)
      if (std::optional<Feature> feature = featureOf(layers, f, trained); feature && pays(*feature))
        chosen.push_back(*feature);
    if (chosen.size() == segments && segments > 0) {
      auto least = std::min_element(chosen.begin(), chosen.end(),
                                    [](const Feature &a, const Feature &b) { return a.gain() < b.gain(); });
      reportDeclined(least->lookups.front(), getArgument(), "a layer needs a feature that is multiplied");
      chosen.erase(least);
    }
    if (chosen.empty())
      return;
    // The others' part of the weight moves together, and its gradient apart: read and written.
    int64_t moved = (trained ? 2 : 1) * 2 * kElement * rowsOf(weight) * columnsOf(weight);
    chosen.front().after.bytes += moved;
    chosen.front().timeAfter += costs().byte * moved;
    int64_t gain = 0;
    for (const Feature &feature : chosen)
      gain += feature.gain();
    if (!always && gain <= 0) {
      for (const Feature &feature : chosen)
        reportDeclined(feature.lookups.front(), getArgument(),
                       "taking the layer's weight apart costs more than all tables of products save");
      return;
    }
    for (const Feature &feature : chosen)
      reportApplied(feature.lookups.front(), getArgument(),
                    "its " + Twine(rowsOf(feature.table)) + " rows pass the first layer once", feature.before,
                    feature.after);
    rewrite(weight, layers, chosen);
  }

  /// Nothing for numbers, and for what layers do not share.
  std::optional<Feature> featureOf(Layers &layers, unsigned f, bool trained) {
    Feature feature;
    feature.number = f;
    for (SegmentLinearOp layer : layers) {
      Value segment = f < layer.getSegments().size() ? layer.getSegments()[f] : Value();
      Value table = segment ? tableOf(segment) : Value();
      if (!table || (feature.table && table != feature.table))
        return std::nullopt;
      feature.table = table;
      feature.width = columnsOf(segment);
      feature.lookups.push_back(segment.getDefiningOp());
      addWork(feature, layer, typicalValues(segment.getDefiningOp()), trained);
    }
    int64_t rows = rowsOf(feature.table), inner = columnsOf(layers.front().getWeight());
    feature.after.operations += (trained ? 3 : 1) * 2 * rows * feature.width * inner;
    feature.timeBefore = feature.before.operations + costs().cachedByte * feature.before.bytes;
    feature.timeAfter = feature.after.operations + costs().cachedByte * feature.after.bytes;
    // Products are written; sums of gradients are written, and read by both of their products.
    int64_t bytes = (trained ? 4 : 1) * kElement * rows * inner;
    feature.after.bytes += bytes;
    feature.timeAfter += costs().byte * bytes + costs().start / (trained ? 1 : 4);
    return feature;
  }

  /// Of one layer: products of `width` columns, or rows of products that are added.
  static void addWork(Feature &feature, SegmentLinearOp layer, int64_t values, bool trained) {
    int64_t rows = typicalRows(layer.getResult()), inner = columnsOf(layer.getWeight());
    feature.before.operations += (trained ? 3 : 1) * 2 * rows * feature.width * inner;
    // Forward, `values` rows are read, their sum is written and read again; the same back.
    int64_t moves = rows * (values + 2);
    feature.before.bytes += (trained ? 2 : 1) * kElement * feature.width * moves;
    feature.after.bytes += kElement * inner * (moves + (trained ? rows * values : 0));
  }

  bool pays(const Feature &feature) {
    if (always || feature.gain() > 0)
      return true;
    auto times = llvm::formatv("{0:f1}", double(feature.timeAfter) / double(feature.timeBefore));
    reportDeclined(feature.lookups.front(), getArgument(),
                   "its " + Twine(rowsOf(feature.table)) + " rows as products, looked up, cost " + times.str() +
                       " times its part of the layer");
    return false;
  }

  static void rewrite(Value weight, Layers &layers, ArrayRef<Feature> chosen) {
    OpBuilder builder(layers.front());
    Location loc = layers.front().getLoc();
    int64_t inner = columnsOf(weight);
    auto matrix = [&](int64_t rows) { return RankedTensorType::get({rows, inner}, builder.getF32Type()); };
    auto find = [&](unsigned f) {
      return llvm::find_if(chosen, [&](const Feature &feature) { return feature.number == f; });
    };

    // The weight: a part for each chosen feature, and for each run of others.
    SmallVector<Type> parts;
    SmallVector<bool> isChosen;
    for (auto [f, segment] : llvm::enumerate(layers.front().getSegments())) {
      bool here = find(f) != chosen.end();
      if (!here && !isChosen.empty() && !isChosen.back()) {
        parts.back() = matrix(cast<RankedTensorType>(parts.back()).getDimSize(0) + columnsOf(segment));
        continue;
      }
      parts.push_back(matrix(columnsOf(segment)));
      isChosen.push_back(here);
    }
    auto taken = UnstackOp::create(builder, loc, parts, weight);
    SmallVector<Value> ofChosen, ofOthers;
    int64_t others = 0;
    for (auto [part, here] : llvm::zip(taken.getParts(), isChosen)) {
      (here ? ofChosen : ofOthers).push_back(part);
      others += here ? 0 : rowsOf(part);
    }
    Value rest =
        ofOthers.size() == 1 ? ofOthers.front() : StackOp::create(builder, loc, matrix(others), ofOthers).getResult();
    SmallVector<Value> tables;
    for (auto [feature, part] : llvm::zip(chosen, ofChosen))
      tables.push_back(ProjectOp::create(builder, feature.lookups.front()->getLoc(), matrix(rowsOf(feature.table)),
                                         feature.table, part));

    for (auto [number, original] : llvm::enumerate(layers)) {
      SegmentLinearOp layer = original;
      builder.setInsertionPoint(layer);
      Value sum;
      for (auto [feature, table] : llvm::zip(chosen, tables))
        sum = lookUp(builder, feature.lookups[number], table, sum, layer.getType());
      SmallVector<Value> segments;
      for (auto [f, segment] : llvm::enumerate(layer.getSegments()))
        if (find(f) == chosen.end())
          segments.push_back(segment);
      auto smaller =
          SegmentLinearOp::create(builder, layer.getLoc(), layer.getType(), segments, /*mask=*/Value(),
                                  /*defaults=*/ValueRange(), rest, layer.getBias(), sum, false, layer.getRelu());
      layer.replaceAllUsesWith(smaller.getResult());
      layer.erase();
      for (const Feature &feature : chosen)
        feature.lookups[number]->erase();
    }
  }
};

} // namespace
} // namespace tower
