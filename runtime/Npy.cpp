// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// .npy files: a magic, a version, the length of a header, the header (the text of a Python dict), the elements.
#include "runtime/Npy.h"

#include "runtime/Error.h"

#include <bit>
#include <cstring>
#include <string_view>

using namespace tower::rt;

static_assert(std::endian::native == std::endian::little, "columns are little-endian and mapped as they are");

namespace {

std::string tupleText(const std::vector<int64_t> &shape) {
  std::string text = "(";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + (shape.size() == 1 ? ",)" : ")");
}

/// The text after `key` and a colon in the header's dict.
std::string_view valueOf(std::string_view header, std::string_view key) {
  size_t at = header.find(key);
  if (at == std::string_view::npos)
    return {};
  at = header.find_first_not_of(" :", at + key.size());
  return at == std::string_view::npos ? std::string_view() : header.substr(at);
}

/// Reads "(3, 4)"; false if it is not that.
bool parseShape(std::string_view text, std::vector<int64_t> &shape) {
  if (text.empty() || text[0] != '(')
    return false;
  size_t i = 1;
  while (i < text.size() && text[i] != ')') {
    if (text[i] == ' ' || text[i] == ',') {
      ++i;
      continue;
    }
    int64_t value = 0;
    size_t begin = i;
    for (; i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i) {
      if (value > (int64_t{1} << 50))
        return false;
      value = value * 10 + (text[i] - '0');
    }
    if (i == begin)
      return false;
    shape.push_back(value);
  }
  return i < text.size();
}

} // namespace

const char *tower::rt::elementName(ElementType type) {
  static const char *const names[] = {"int32", "int64", "float32", "float64"};
  return names[static_cast<int>(type)];
}

size_t tower::rt::elementSize(ElementType type) { return type == ElementType::I32 || type == ElementType::F32 ? 4 : 8; }

NpyFile::NpyFile(const std::string &path) : file(path) {
  auto fail = [&](const std::string &what) { throw Error(path + ": " + what); };
  std::string_view text = file.text();
  if (text.size() < 10 || text.substr(0, 6) != "\x93NUMPY")
    fail("is not a .npy file");
  int version = text[6];
  if (version != 1 && version != 2)
    fail("is a .npy file of version " + std::to_string(version) + "; versions 1 and 2 are read");
  size_t lengthBytes = version == 1 ? 2 : 4;
  if (text.size() < 8 + lengthBytes)
    fail("is truncated");
  size_t length = 0;
  for (size_t i = 0; i < lengthBytes; ++i)
    length |= size_t{static_cast<unsigned char>(text[8 + i])} << (8 * i);
  size_t start = 8 + lengthBytes + length;
  if (text.size() < start)
    fail("is truncated");
  std::string_view header = text.substr(8 + lengthBytes, length);

  std::string_view description = valueOf(header, "'descr'");
  if (description.starts_with("'<i4'"))
    elementType = ElementType::I32;
  else if (description.starts_with("'<i8'"))
    elementType = ElementType::I64;
  else if (description.starts_with("'<f4'"))
    elementType = ElementType::F32;
  else if (description.starts_with("'<f8'"))
    elementType = ElementType::F64;
  else
    fail("has elements of type " + std::string(description.substr(0, description.find(','))) +
         "; little-endian int32, int64, float32 and float64 are read");
  if (!valueOf(header, "'fortran_order'").starts_with("False"))
    fail("is in Fortran order; C order is read");
  if (!parseShape(valueOf(header, "'shape'"), dims))
    fail("has a header without a shape");

  elements = 1;
  for (int64_t dim : dims)
    if (__builtin_mul_overflow(elements, dim, &elements))
      fail("has an impossible shape " + tupleText(dims));
  int64_t expected;
  if (__builtin_mul_overflow(elements, static_cast<int64_t>(elementSize(elementType)), &expected) ||
      static_cast<size_t>(expected) != text.size() - start)
    fail("has " + std::to_string(text.size() - start) + " bytes of elements, but shape " + tupleText(dims) + " of " +
         elementName(elementType) + " needs " + std::to_string(elements) + " x " +
         std::to_string(elementSize(elementType)));
  if (start % elementSize(elementType) != 0)
    fail("has elements that are not aligned; save it again with NumPy");
  data = text.data() + start;
}

void NpyFile::require(ElementType type, const std::vector<int64_t> &shape) const {
  if (type != elementType || shape != dims)
    throw Error(path() + ": holds " + elementName(elementType) + " of shape " + tupleText(dims) + ", but " +
                elementName(type) + " of shape " + tupleText(shape) + " is expected from schema.json");
}

void tower::rt::writeNpy(const std::string &path, ElementType type, const std::vector<int64_t> &shape,
                         const void *data) {
  static const char *const codes[] = {"<i4", "<i8", "<f4", "<f8"};
  std::string header = std::string("{'descr': '") + codes[static_cast<int>(type)] +
                       "', 'fortran_order': False, 'shape': " + tupleText(shape) + ", }";
  constexpr size_t fixed = 10; // magic, version, length
  header.append(63 - (fixed + header.size()) % 64, ' ');
  header += '\n';
  size_t bytes = elementSize(type);
  for (int64_t dim : shape)
    bytes *= static_cast<size_t>(dim);
  replaceFile(path, [&](FileWriter &file) {
    const char length[2] = {static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
    file.write(std::string_view("\x93NUMPY\x01\x00", 8));
    file.write(length, 2);
    file.write(header);
    file.write(data, bytes);
  });
}
