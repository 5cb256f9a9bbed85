// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Zeroed pages straight from the system.
#include "runtime/Memory.h"

#include "runtime/Error.h"

#include <cerrno>
#include <string>
#include <utility>

#include <sys/mman.h>

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

Memory::~Memory() {
  if (address)
    ::munmap(address, bytes);
}
