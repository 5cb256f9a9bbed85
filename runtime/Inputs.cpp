// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Inputs computed from the data, and whether the data fits.
#include "runtime/Inputs.h"

#include "runtime/Error.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

using namespace tower::rt;

void tower::rt::checkData(const Manifest &manifest, const Dataset &data) {
  auto refuse = [&](const std::string &what) {
    throw Error(data.folder() + ": " + what + "; compile the model for this data: towerc model.txtpb --data " +
                data.folder() + " -o " + manifest.name);
  };
  auto limit = [&](const Column &column, const char *what, int64_t found, int64_t allowed) {
    if (found > allowed)
      refuse("column '" + column.name + "' has " + what + " " + std::to_string(found) +
             ", but the model was compiled for at most " + std::to_string(allowed));
  };
  for (const TowerSide *side : {&manifest.query, &manifest.item}) {
    const std::string &entity = side == &manifest.query ? data.queryEntity() : data.itemEntity();
    if (side->entity != entity)
      refuse(std::string(side == &manifest.query ? "queries" : "items") + " are rows of entity '" + entity +
             "', but the model was compiled for '" + side->entity + "'");
  }
  for (const ColumnNeed &need : manifest.columns) {
    const Column *column = data.entity(need.entity).find(need.column);
    if (!column)
      refuse("entity '" + need.entity + "' has no column '" + need.column + "', which the model reads");
    if (column->kind != need.kind)
      refuse("column '" + need.column + "' of entity '" + need.entity + "' is " + columnKindName(column->kind) +
             ", but the model was compiled for " + columnKindName(need.kind));
    if (need.kind == ColumnKind::Dense) {
      if (column->width != need.width)
        refuse("column '" + need.column + "' has width " + std::to_string(column->width) +
               ", but the model was compiled for " + std::to_string(need.width));
      continue;
    }
    limit(*column, "vocabulary rows:", column->vocabularyRows, need.rows);
    if (need.kind == ColumnKind::Multi)
      limit(*column, "a longest row of", column->longest, need.longest);
  }
}

Buffer<float> tower::rt::logProbabilities(const Pairs &pairs, int64_t items) {
  std::vector<int64_t> counts(static_cast<size_t>(items), 0);
  for (int32_t item : pairs.item)
    ++counts[static_cast<size_t>(item)];
  double total = static_cast<double>(pairs.size());
  Buffer<float> result(counts.size());
  std::transform(counts.begin(), counts.end(), result.begin(), [&](int64_t count) {
    return static_cast<float>(std::log(static_cast<double>(std::max<int64_t>(count, 1)) / total));
  });
  return result;
}

Buffer<int32_t> tower::rt::miOrder(const MaskInfo &mask, const Dataset &data) {
  MutualInformation mi = data.mutualInformation(mask.entity);
  const std::vector<double> &matrix = mask.corrected ? mi.corrected : mi.plugin;
  std::vector<size_t> columns;
  for (const std::string &feature : mask.features) {
    std::optional<size_t> column = mi.find(feature);
    if (!column)
      throw Error(mi.path + ": has no feature '" + feature + "': run `towerc data mi " + data.folder() + "` again");
    columns.push_back(*column);
  }
  Buffer<int32_t> result;
  for (size_t s = 0; s < columns.size(); ++s) {
    std::vector<int32_t> others;
    for (size_t f = 0; f < columns.size(); ++f)
      if (f != s)
        others.push_back(static_cast<int32_t>(f));
    auto information = [&](int32_t f) { return matrix[columns[s] * mi.features.size() + columns[f]]; };
    std::stable_sort(others.begin(), others.end(),
                     [&](int32_t a, int32_t b) { return information(a) > information(b); });
    result.insert(result.end(), others.begin(), others.end());
  }
  return result;
}

float tower::rt::rateFactor(const TrainingInfo &training, int64_t step, int64_t totalSteps) {
  int64_t warmup = training.warmupSteps;
  if (step < warmup)
    return static_cast<float>(static_cast<double>(step + 1) / static_cast<double>(warmup));
  double length = static_cast<double>(std::max<int64_t>(totalSteps - 1 - warmup, 1));
  double progress = std::min(static_cast<double>(step - warmup) / length, 1.0), last = training.finalFraction;
  if (training.decay == "linear")
    return static_cast<float>(1 - (1 - last) * progress);
  if (training.decay == "cosine")
    return static_cast<float>(last + (1 - last) * (1 + std::cos(std::numbers::pi * progress)) / 2);
  return 1;
}
