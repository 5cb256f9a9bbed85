// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Zeroed pages straight from the system.
#include "runtime/Memory.h"

#include "runtime/Error.h"

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

using namespace tower::rt;

Memory::Memory(size_t size) : bytes(size) {
  if (bytes == 0)
    return;
  address = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) {
    address = nullptr;
    throw Error("cannot allocate " + std::to_string(bytes) + " bytes: " + errnoText(errno));
  }
  ::madvise(address, bytes, MADV_HUGEPAGE); // a wish: it may be refused
}

Memory::Memory(Memory &&other) noexcept
    : address(std::exchange(other.address, nullptr)), bytes(std::exchange(other.bytes, 0)) {}

Memory &Memory::operator=(Memory &&other) noexcept {
  std::swap(address, other.address);
  std::swap(bytes, other.bytes);
  return *this;
}

void Memory::zero(size_t offset, size_t count) const {
  static const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  char *start = static_cast<char *>(address);
  size_t first = (offset + page - 1) / page * page, last = (offset + count) / page * page;
  if (first >= last || ::madvise(start + first, last - first, MADV_DONTNEED) != 0) {
    std::memset(start + offset, 0, count);
    return;
  }
  std::memset(start + offset, 0, first - offset);
  std::memset(start + last, 0, offset + count - last);
}

Memory::~Memory() {
  if (address)
    ::munmap(address, bytes);
}
