// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Memory of the simulated device, and pinned memory of the host. What the device has is closed to the host except while
// the device works, and has guards at both ends.
#ifndef TOWER_TEST_GPU_DRIVER_MEMORY_H
#define TOWER_TEST_GPU_DRIVER_MEMORY_H

#include <cstddef>
#include <cstdint>
#include <map>

namespace tower::simulated {

/// Ends the process: the program under test did what no driver would forgive.
[[noreturn]] void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

class Memory {
public:
  uint64_t allocate(size_t bytes);
  /// Is it the start of an allocation? Then it goes.
  bool free(uint64_t address);
  void *pin(size_t bytes);
  bool unpin(void *address);
  bool isPinned(const void *address, size_t bytes) const;

  /// Dies unless the bytes lie in one allocation.
  void checkRange(const char *what, uint64_t address, size_t bytes) const;
  /// Dies if a guard is damaged; `when` says what was found then.
  void checkGuards(const char *when);
  void checkEmpty() const;
  size_t used() const { return usedBytes; }

  /// While it lives the device works, and its memory can be touched.
  class Open {
  public:
    explicit Open(Memory &memory) : memory(memory) { memory.open(true); }
    ~Open() { memory.open(false); }

  private:
    Memory &memory;
  };

private:
  struct Allocation {
    char *start = nullptr; // of the pages
    size_t pages = 0, bytes = 0;

    uint64_t address() const;
  };
  void open(bool yes);
  void checkGuards(const Allocation &allocation, const char *when) const;

  std::map<uint64_t, Allocation> allocations; // by address
  std::map<const char *, size_t> pinned;
  size_t usedBytes = 0;
  int opened = 0;
};

} // namespace tower::simulated
#endif
