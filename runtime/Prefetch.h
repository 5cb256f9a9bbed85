// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Asks the system to read, ahead of time, the pages of mapped columns that training steps will need.
#ifndef TOWER_RUNTIME_PREFETCH_H
#define TOWER_RUNTIME_PREFETCH_H

#include "runtime/Buffer.h"
#include "runtime/Dataset.h"
#include "runtime/Manifest.h"

#include <cstddef>
#include <vector>

namespace tower::rt {

/// A hint only: it changes when a step waits for the disk, never what it computes. Reading goes on in the background.
class Prefetch {
public:
  /// If pairs and columns take at most `budget` bytes, all of them are asked for at once, and announce() does nothing.
  /// What the arguments refer to must outlive this.
  Prefetch(const Manifest &manifest, const Dataset &data, const Pairs &pairs, size_t budget);

  /// Asks for what the pairs of `step` refer to.
  void announce(int64_t step, uint64_t seed);

  bool whole() const { return everything; }

private:
  void announceRow(const std::vector<const Column *> &columns, int64_t row) const;

  const Pairs &pairs;
  std::vector<const Column *> queryColumns, itemColumns;
  Buffer<int32_t> positions; // of a batch
  bool everything;
};

/// Half of the machine's memory, in bytes.
size_t prefetchBudget();

} // namespace tower::rt

#endif // TOWER_RUNTIME_PREFETCH_H
