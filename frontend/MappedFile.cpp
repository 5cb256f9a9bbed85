// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mmap with its errors as text.
#include "frontend/MappedFile.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace tower;

MappedFile::MappedFile(const std::string &path, std::string &error) {
  error.clear();
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    error = std::string("cannot open: ") + std::strerror(errno);
    return;
  }
  struct stat status;
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    error = "not a regular file";
  } else if (status.st_size > 0) {
    void *mapped = ::mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (mapped == MAP_FAILED) {
      error = std::string("cannot read: ") + std::strerror(errno);
    } else {
      address = mapped;
      size = static_cast<size_t>(status.st_size);
      ::madvise(address, size, MADV_SEQUENTIAL);
    }
  }
  ::close(descriptor);
}

MappedFile::~MappedFile() {
  if (address)
    ::munmap(address, size);
}
