// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A file in memory, read only.
#ifndef TOWERC_FRONTEND_MAPPEDFILE_H
#define TOWERC_FRONTEND_MAPPEDFILE_H

#include <string>
#include <string_view>

namespace tower {

class MappedFile {
public:
  /// Maps the file at `path`; `error` says why not, or is empty.
  MappedFile(const std::string &path, std::string &error);
  ~MappedFile();
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;

  std::string_view text() const { return {static_cast<const char *>(address), size}; }

private:
  void *address = nullptr;
  size_t size = 0;
};

} // namespace tower

#endif // TOWERC_FRONTEND_MAPPEDFILE_H
