// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The two large blocks of a model, tensors and arena.
#ifndef TOWER_RUNTIME_MEMORY_H
#define TOWER_RUNTIME_MEMORY_H

#include <cstddef>

namespace tower::rt {

/// Zeroed memory, aligned to a page, in huge pages where the system grants them. Throws Error if there is not enough.
class Memory {
public:
  Memory() = default;
  explicit Memory(size_t bytes);
  Memory(Memory &&other) noexcept;
  Memory &operator=(Memory &&other) noexcept;
  ~Memory();

  void *data() const { return address; }
  size_t size() const { return bytes; }

  /// Makes `count` bytes from `offset` zero by giving their pages back: the system zeroes them when they are next
  /// touched, which for memory that nobody has touched is no work at all.
  void zero(size_t offset, size_t count) const;

private:
  void *address = nullptr;
  size_t bytes = 0;
};

} // namespace tower::rt
#endif
