// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files: mapping one for reading, replacing one as a whole, hashing its bytes.
#ifndef TOWER_RUNTIME_FILE_H
#define TOWER_RUNTIME_FILE_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace tower::rt {

/// A file mapped read-only; empty files are allowed. Throws Error where it cannot be opened.
class MappedFile {
public:
  MappedFile() = default;
  explicit MappedFile(const std::string &path);
  MappedFile(MappedFile &&other) noexcept;
  MappedFile &operator=(MappedFile &&other) noexcept;
  ~MappedFile();

  const std::string &path() const { return name; }
  std::string_view text() const { return {static_cast<const char *>(address), bytes}; }
  size_t size() const { return bytes; }

private:
  std::string name;
  void *address = nullptr;
  size_t bytes = 0;
};

/// Buffers small writes to a file descriptor; see replaceFile.
class FileWriter {
public:
  FileWriter(int descriptor, std::string path) : descriptor(descriptor), path(std::move(path)) {}
  void write(const void *data, size_t size);
  void write(std::string_view text) { write(text.data(), text.size()); }
  void flush();

private:
  int descriptor;
  std::string path;
  std::string buffer;
};

/// Writes a file as a whole or not at all: `write` fills a temporary file beside `path`, which is fsynced and renamed
/// to `path`, and the folder is fsynced. On any failure the temporary file is removed and `path` is as it was.
void replaceFile(const std::string &path, const std::function<void(FileWriter &)> &write);

/// The whole of a text file.
std::string readText(const std::string &path);

/// XXH64 with seed 0: a hash of content, not a protection against forgery.
uint64_t hashBytes(std::string_view bytes);

/// 16 hexadecimal digits.
std::string hex(uint64_t value);

} // namespace tower::rt
#endif
