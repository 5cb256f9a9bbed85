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

private:
  void *address = nullptr;
  size_t bytes = 0;
};

} // namespace tower::rt
#endif
