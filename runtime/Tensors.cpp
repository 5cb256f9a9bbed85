// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The block of tensors.
#include "runtime/Tensors.h"

#include "runtime/Error.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <map>

using namespace tower::rt;

namespace {
constexpr int64_t pieceSize = 1 << 16; // elements a piece: work is cut by the problem, not by the threads
int64_t pieceCount(int64_t count) { return (count + pieceSize - 1) / pieceSize; }
} // namespace

Tensors::Tensors(const Manifest &manifest)
    : infos(manifest.tensors), memory(static_cast<size_t>(manifest.tensorBytes)) {}

std::span<float> Tensors::operator[](size_t index) const {
  const TensorInfo &tensor = infos[index];
  return {reinterpret_cast<float *>(static_cast<char *>(memory.data()) + tensor.offset),
          static_cast<size_t>(tensor.count())};
}

std::span<float> Tensors::operator[](std::string_view name) const {
  for (size_t i = 0; i < infos.size(); ++i)
    if (infos[i].name == name)
      return (*this)[i];
  throw Error("the model has no tensor '" + std::string(name) + "'");
}

void Tensors::initialize(const Dataset &data, uint64_t seed, Pool &pool) const {
  std::map<std::pair<const Column *, bool>, Moments> moments; // mean and deviation of a column come from the same ones
  for (size_t i = 0; i < infos.size(); ++i) {
    const TensorInfo &tensor = infos[i];
    const Init &init = tensor.init;
    std::span<float> out = (*this)[i];
    if (init.kind == InitKind::Normal || init.kind == InitKind::Uniform) {
      drawInitial(tensor, seed, out, pool);
    } else if (init.kind == InitKind::Zero) {
      memory.zero(static_cast<size_t>(tensor.offset), out.size_bytes());
    } else if (init.kind == InitKind::Constant) {
      auto value = static_cast<float>(init.scale);
      parallel(pool, pieceCount(tensor.count()), [&](int64_t piece) {
        auto begin = out.begin() + piece * pieceSize;
        std::fill(begin, begin + std::min<int64_t>(pieceSize, out.end() - begin), value);
      });
    } else {
      const Column *column = data.entity(init.entity).find(init.column);
      if (!column || column->kind != ColumnKind::Dense || column->width != tensor.count())
        throw Error(data.folder() + ": entity '" + init.entity + "' has no dense column '" + init.column +
                    "' of width " + std::to_string(tensor.count()));
      auto [found, isNew] = moments.try_emplace({column, init.logarithmic});
      if (isNew)
        found->second = columnMoments(*column, init.logarithmic);
      const Moments &both = found->second;
      const std::vector<double> &values = init.kind == InitKind::Mean ? both.mean : both.deviation;
      std::transform(values.begin(), values.end(), out.begin(), [](double v) { return static_cast<float>(v); });
    }
  }
}

const TensorInfo *Tensors::findNotFinite(Pool &pool) const {
  for (size_t i = 0; i < infos.size(); ++i) {
    std::span<float> values = (*this)[i];
    std::atomic<bool> bad{false};
    parallel(pool, pieceCount(infos[i].count()), [&](int64_t piece) {
      size_t begin = static_cast<size_t>(piece * pieceSize), end = std::min(begin + pieceSize, values.size());
      // An exponent of all ones, found without a branch so that the loop becomes vector code.
      uint32_t worst = 0;
      for (size_t k = begin; k < end; ++k)
        worst = std::max(worst, std::bit_cast<uint32_t>(values[k]) & 0x7F800000u);
      if (worst == 0x7F800000u)
        bad.store(true, std::memory_order_relaxed);
    });
    if (bad)
      return &infos[i];
  }
  return nullptr;
}

Moments tower::rt::columnMoments(const Column &column, bool logarithmic) {
  size_t width = static_cast<size_t>(column.width), rows = column.numbers.size() / width;
  auto at = [&](size_t row, size_t k) {
    double x = column.numbers[row * width + k];
    if (!logarithmic)
      return x;
    if (!(x > -1))
      throw Error(column.path + ": row " + std::to_string(row) + ": log(1 + x) needs x > -1, found " +
                  std::to_string(x));
    return std::log1p(x);
  };
  Moments moments{std::vector<double>(width, 0.0), std::vector<double>(width, 0.0)};
  double count = static_cast<double>(std::max<size_t>(rows, 1));
  for (size_t row = 0; row < rows; ++row)
    for (size_t k = 0; k < width; ++k)
      moments.mean[k] += at(row, k);
  for (double &mean : moments.mean)
    mean /= count;
  for (size_t row = 0; row < rows; ++row)
    for (size_t k = 0; k < width; ++k) {
      double distance = at(row, k) - moments.mean[k];
      moments.deviation[k] += distance * distance;
    }
  for (size_t k = 0; k < width; ++k) {
    moments.deviation[k] = std::sqrt(moments.deviation[k] / count);
    // A sum's rounding may give a constant a tiny deviation, and dividing by it would blow that rounding up.
    bool constant = true;
    for (size_t row = 1; row < rows && constant; ++row)
      constant = at(row, k) == at(0, k);
    if (constant && rows > 0)
      moments.mean[k] = at(0, k);
    if (constant || static_cast<float>(moments.deviation[k]) == 0)
      moments.deviation[k] = 1;
  }
  return moments;
}
