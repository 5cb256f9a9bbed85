// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/gpu/driver/Memory.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <sys/mman.h>

using namespace tower::simulated;

namespace {
constexpr size_t guard = 256; // as a driver aligns
constexpr size_t page = 4096;
constexpr unsigned char guardByte = 0xA5, freshByte = 0xFF; // fresh memory is NaN, or row -1
} // namespace

void tower::simulated::die(const char *format, ...) {
  std::fputs("simulated GPU: ", stderr);
  va_list arguments;
  va_start(arguments, format);
  std::vfprintf(stderr, format, arguments);
  va_end(arguments);
  std::fputc('\n', stderr);
  std::abort();
}

uint64_t Memory::Allocation::address() const { return reinterpret_cast<uint64_t>(start) + guard; }

uint64_t Memory::allocate(size_t bytes) {
  size_t pages = (bytes + 2 * guard + page - 1) / page * page;
  void *start = ::mmap(nullptr, pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED)
    return 0;
  std::memset(start, guardByte, pages);
  Allocation made{static_cast<char *>(start), pages, bytes};
  std::memset(made.start + guard, freshByte, bytes);
  ::mprotect(start, pages, opened ? PROT_READ | PROT_WRITE : PROT_NONE);
  allocations[made.address()] = made;
  usedBytes += bytes;
  return made.address();
}

bool Memory::free(uint64_t address) {
  auto found = allocations.find(address);
  if (found == allocations.end())
    return false;
  checkGuards("when memory was freed");
  ::munmap(found->second.start, found->second.pages);
  usedBytes -= found->second.bytes;
  allocations.erase(found);
  return true;
}

void *Memory::pin(size_t bytes) {
  auto *address = static_cast<char *>(std::malloc(bytes));
  std::memset(address, freshByte, bytes);
  pinned[address] = bytes;
  return address;
}

bool Memory::unpin(void *address) {
  if (!pinned.erase(static_cast<char *>(address)))
    return false;
  std::free(address);
  return true;
}

bool Memory::isPinned(const void *address, size_t bytes) const {
  auto *begin = static_cast<const char *>(address);
  auto after = pinned.upper_bound(begin);
  if (after == pinned.begin())
    return false;
  auto &[start, size] = *--after;
  return begin + bytes <= start + size;
}

void Memory::checkRange(const char *what, uint64_t address, size_t bytes) const {
  auto after = allocations.upper_bound(address);
  if (after != allocations.begin()) {
    const Allocation &found = std::prev(after)->second;
    if (address + bytes <= found.address() + found.bytes)
      return;
  }
  die("%s of %zu bytes at 0x%llx does not lie in an allocation", what, bytes, static_cast<unsigned long long>(address));
}

void Memory::checkGuards(const char *when) {
  Open now(*this);
  for (const auto &[address, allocation] : allocations)
    checkGuards(allocation, when);
}

void Memory::checkGuards(const Allocation &allocation, const char *when) const {
  auto check = [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i)
      if (static_cast<unsigned char>(allocation.start[i]) != guardByte)
        die("an allocation of %zu bytes was written %lld bytes from its start, seen %s", allocation.bytes,
            static_cast<long long>(i) - static_cast<long long>(guard), when);
  };
  check(0, guard);
  check(guard + allocation.bytes, allocation.pages);
}

void Memory::checkEmpty() const {
  if (!allocations.empty() || !pinned.empty())
    die("the program ends with %zu allocations on the device and %zu pinned ones", allocations.size(), pinned.size());
}

void Memory::open(bool yes) {
  opened += yes ? 1 : -1;
  if (opened != (yes ? 1 : 0))
    return;
  for (const auto &[address, allocation] : allocations)
    ::mprotect(allocation.start, allocation.pages, yes ? PROT_READ | PROT_WRITE : PROT_NONE);
}
