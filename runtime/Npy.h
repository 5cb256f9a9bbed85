// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NumPy's .npy files (versions 1.0 and 2.0), little-endian and in C order: columns are mapped, embeddings are written.
#ifndef TOWER_RUNTIME_NPY_H
#define TOWER_RUNTIME_NPY_H

#include "runtime/File.h"

#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace tower::rt {

enum class ElementType { I32, I64, F32, F64 };

/// int32, int64, float32 or float64.
const char *elementName(ElementType type);
size_t elementSize(ElementType type);

template <class T> constexpr ElementType elementTypeOf() {
  if constexpr (std::is_same_v<T, int32_t>)
    return ElementType::I32;
  else if constexpr (std::is_same_v<T, int64_t>)
    return ElementType::I64;
  else if constexpr (std::is_same_v<T, float>)
    return ElementType::F32;
  else {
    static_assert(std::is_same_v<T, double>);
    return ElementType::F64;
  }
}

/// A mapped .npy file. The constructor checks the header and that the file is exactly as long as it says.
class NpyFile {
public:
  explicit NpyFile(const std::string &path);

  const std::string &path() const { return file.path(); }
  ElementType type() const { return elementType; }
  const std::vector<int64_t> &shape() const { return dims; }
  int64_t count() const { return elements; }

  /// The elements, row by row. Throws Error unless the file has this type and shape.
  template <class T> std::span<const T> as(const std::vector<int64_t> &shape) const {
    require(elementTypeOf<T>(), shape);
    return {reinterpret_cast<const T *>(data), static_cast<size_t>(elements)};
  }

private:
  void require(ElementType type, const std::vector<int64_t> &shape) const;

  MappedFile file;
  ElementType elementType = ElementType::F32;
  std::vector<int64_t> dims;
  int64_t elements = 0;
  const char *data = nullptr;
};

/// Writes a version 1.0 file, as a whole or not at all. `data` holds the product of `shape` elements.
void writeNpy(const std::string &path, ElementType type, const std::vector<int64_t> &shape, const void *data);

template <class T> void writeNpy(const std::string &path, std::span<const T> data, const std::vector<int64_t> &shape) {
  writeNpy(path, elementTypeOf<std::remove_const_t<T>>(), shape, data.data());
}

} // namespace tower::rt
#endif
