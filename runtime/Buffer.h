// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A vector whose elements start at a multiple of 64 bytes, as generated code expects of what the runtime allocates.
#ifndef TOWER_RUNTIME_BUFFER_H
#define TOWER_RUNTIME_BUFFER_H

#include <cstddef>
#include <new>
#include <vector>

namespace tower::rt {

template <class T> struct AlignedAllocator {
  using value_type = T;
  static constexpr std::align_val_t alignment{64};

  AlignedAllocator() = default;
  template <class U> AlignedAllocator(const AlignedAllocator<U> &) {}

  T *allocate(size_t count) { return static_cast<T *>(::operator new(count * sizeof(T), alignment)); }
  void deallocate(T *pointer, size_t) { ::operator delete(pointer, alignment); }
  template <class U> bool operator==(const AlignedAllocator<U> &) const { return true; }
};

template <class T> using Buffer = std::vector<T, AlignedAllocator<T>>;

} // namespace tower::rt
#endif
