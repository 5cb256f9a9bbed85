// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Mapped files, files replaced as a whole, XXH64.
#include "runtime/File.h"

#include "runtime/Error.h"

#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace tower::rt;

namespace {

/// Closes a file descriptor at the end of its scope.
struct Descriptor {
  int value;
  explicit Descriptor(int value) : value(value) {}
  Descriptor(const Descriptor &) = delete;
  ~Descriptor() {
    if (value >= 0)
      ::close(value);
  }
};

[[noreturn]] void fail(const std::string &path, const char *what) {
  throw Error(path + ": " + what + ": " + errnoText(errno));
}

std::string folderOf(const std::string &path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos)
    return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

uint64_t load64(const char *p) {
  uint64_t value;
  std::memcpy(&value, p, sizeof(value));
  return value;
}

uint32_t load32(const char *p) {
  uint32_t value;
  std::memcpy(&value, p, sizeof(value));
  return value;
}

constexpr uint64_t prime1 = 0x9E3779B185EBCA87u, prime2 = 0xC2B2AE3D27D4EB4Fu, prime3 = 0x165667B19E3779F9u,
                   prime4 = 0x85EBCA77C2B2AE63u, prime5 = 0x27D4EB2F165667C5u;

uint64_t mixLane(uint64_t lane, uint64_t input) { return std::rotl(lane + input * prime2, 31) * prime1; }

} // namespace

MappedFile::MappedFile(const std::string &path) : name(path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status;
  if (file.value < 0 || ::fstat(file.value, &status) != 0)
    fail(path, "cannot be opened");
  if (!S_ISREG(status.st_mode))
    throw Error(path + ": is not a file");
  bytes = static_cast<size_t>(status.st_size);
  if (bytes == 0)
    return;
  address = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file.value, 0);
  if (address == MAP_FAILED) {
    address = nullptr;
    fail(path, "cannot be mapped into memory");
  }
}

MappedFile::MappedFile(MappedFile &&other) noexcept
    : name(std::move(other.name)), address(std::exchange(other.address, nullptr)),
      bytes(std::exchange(other.bytes, 0)) {}

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
  std::swap(name, other.name);
  std::swap(address, other.address);
  std::swap(bytes, other.bytes);
  return *this;
}

MappedFile::~MappedFile() {
  if (address)
    ::munmap(address, bytes);
}

void FileWriter::write(const void *data, size_t size) {
  constexpr size_t capacity = size_t{1} << 16;
  if (buffer.size() + size > capacity)
    flush();
  if (size < capacity) {
    buffer.append(static_cast<const char *>(data), size);
    return;
  }
  const char *next = static_cast<const char *>(data);
  while (size > 0) {
    ssize_t written = ::write(descriptor, next, size);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      fail(path, "cannot be written");
    next += written;
    size -= static_cast<size_t>(written);
  }
}

void FileWriter::flush() {
  size_t sent = 0;
  while (sent < buffer.size()) {
    ssize_t written = ::write(descriptor, buffer.data() + sent, buffer.size() - sent);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      fail(path, "cannot be written");
    sent += static_cast<size_t>(written);
  }
  buffer.clear();
}

void tower::rt::replaceFile(const std::string &path, const std::function<void(FileWriter &)> &write) {
  std::string temporary = path + ".tmp" + std::to_string(::getpid());
  Descriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (file.value < 0)
    fail(path, "cannot be written");
  try {
    FileWriter writer(file.value, path);
    write(writer);
    writer.flush();
    if (::fsync(file.value) != 0)
      fail(path, "cannot be written");
    if (::rename(temporary.c_str(), path.c_str()) != 0)
      fail(path, "cannot be replaced");
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  // The rename itself must survive a power cut too. Some file systems refuse to sync a folder: that is no failure.
  Descriptor folder(::open(folderOf(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.value >= 0)
    ::fsync(folder.value);
}

std::string tower::rt::readText(const std::string &path) { return std::string(MappedFile(path).text()); }

uint64_t tower::rt::hashBytes(std::string_view bytes) {
  const char *p = bytes.data(), *end = p + bytes.size();
  uint64_t hash = prime5;
  if (bytes.size() >= 32) {
    uint64_t lanes[4] = {prime1 + prime2, prime2, 0, 0 - prime1};
    for (; end - p >= 32; p += 32)
      for (int i = 0; i < 4; ++i)
        lanes[i] = mixLane(lanes[i], load64(p + 8 * i));
    hash = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) + std::rotl(lanes[3], 18);
    for (uint64_t lane : lanes)
      hash = (hash ^ mixLane(0, lane)) * prime1 + prime4;
  }
  hash += bytes.size();
  for (; end - p >= 8; p += 8)
    hash = std::rotl(hash ^ mixLane(0, load64(p)), 27) * prime1 + prime4;
  if (end - p >= 4) {
    hash = std::rotl(hash ^ load32(p) * prime1, 23) * prime2 + prime3;
    p += 4;
  }
  for (; p != end; ++p)
    hash = std::rotl(hash ^ static_cast<unsigned char>(*p) * prime5, 11) * prime1;
  hash = (hash ^ hash >> 33) * prime2;
  hash = (hash ^ hash >> 29) * prime3;
  return hash ^ hash >> 32;
}

std::string tower::rt::hex(uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(value));
  return text;
}
