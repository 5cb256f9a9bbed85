// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A model's tensors (parameters, optimizer slots, constants) in one block of memory, and their first values.
#ifndef TOWER_RUNTIME_TENSORS_H
#define TOWER_RUNTIME_TENSORS_H

#include "runtime/Manifest.h"
#include "runtime/Memory.h"
#include "runtime/Pool.h"

#include <cstddef>
#include <span>
#include <string_view>

namespace tower::rt {

class Tensors {
public:
  explicit Tensors(const Manifest &manifest);

  size_t size() const { return infos.size(); }
  const TensorInfo &info(size_t index) const { return infos[index]; }
  std::span<float> operator[](size_t index) const;
  /// Throws Error if there is no such tensor.
  std::span<float> operator[](std::string_view name) const;
  /// The block.
  void *data() const { return memory.data(); }
  size_t bytes() const { return memory.size(); }

  /// Gives every tensor its first value, as docs/Manifest.md says: the same bits on any number of threads. Constants
  /// are computed over columns of `data`. Throws Error (file and row) where a logarithm is not defined.
  void initialize(const Dataset &data, uint64_t seed, Pool &pool) const;

  /// The first tensor with an element that is not finite, or nullptr.
  const TensorInfo *findNotFinite(Pool &pool) const;

private:
  std::vector<TensorInfo> infos;
  Memory memory;
};

/// Fills `out` with the first values of a tensor of kind normal or uniform.
void drawInitial(const TensorInfo &tensor, uint64_t seed, std::span<float> out, Pool &pool);

/// Mean and deviation of each of a dense column's numbers over all rows (of log(1 + x) if `logarithmic`); a deviation
/// of 0 is given as 1.
struct Moments {
  std::vector<double> mean, deviation;
};
Moments columnMoments(const Column &column, bool logarithmic);

} // namespace tower::rt
#endif
