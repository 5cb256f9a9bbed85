// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The .npy format: magic, version, a Python dictionary as text, padded to 64 bytes, then the elements.
#include "frontend/Npy.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

using namespace tower;

template <typename T> static const char *elementType();
template <> const char *elementType<int32_t>() { return "<i4"; }
template <> const char *elementType<int64_t>() { return "<i8"; }
template <> const char *elementType<float>() { return "<f4"; }
template <> const char *elementType<double>() { return "<f8"; }

static constexpr char magic[] = "\x93NUMPY\x01\x00";
static constexpr size_t prefixSize = 10; // magic, version, length of the dictionary

template <typename T>
std::string tower::writeNpy(const std::string &path, const std::vector<T> &data, const std::vector<int64_t> &shape) {
  std::ostringstream header;
  header << "{'descr': '" << elementType<T>() << "', 'fortran_order': False, 'shape': (";
  for (size_t i = 0; i < shape.size(); ++i)
    header << (i ? ", " : "") << shape[i];
  header << (shape.size() == 1 ? ",), }" : "), }");
  std::string text = header.str();
  text.append(63 - (prefixSize + text.size()) % 64, ' ');
  text += '\n';

  std::ofstream file(path, std::ios::binary);
  file.write(magic, 8);
  file.put(static_cast<char>(text.size() % 256)).put(static_cast<char>(text.size() / 256));
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.write(reinterpret_cast<const char *>(data.data()), static_cast<std::streamsize>(data.size() * sizeof(T)));
  file.close();
  return file ? "" : path + ": cannot write: " + std::strerror(errno);
}

template <typename T>
std::string tower::readNpy(const std::string &path, size_t rank, std::vector<T> &data, std::vector<int64_t> &shape) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return path + ": cannot open: " + std::strerror(errno);
  char prefix[prefixSize];
  if (!file.read(prefix, prefixSize) || std::memcmp(prefix, magic, 8) != 0)
    return path + ": not a .npy file of version 1.0; write it with numpy.save";
  std::string header(static_cast<uint8_t>(prefix[8]) + 256 * static_cast<uint8_t>(prefix[9]), ' ');
  if (!file.read(header.data(), static_cast<std::streamsize>(header.size())))
    return path + ": the header is cut off; write the file again";
  if (header.find(std::string("'descr': '") + elementType<T>() + "'") == std::string::npos)
    return path + ": the element type is not " + elementType<T>() + "; the header is " + header;
  if (header.find("'fortran_order': False") == std::string::npos)
    return path + ": the array is not in C order; write numpy.ascontiguousarray of it";

  shape.clear();
  int64_t elements = 1;
  size_t open = header.find("'shape': (");
  const char *at = open == std::string::npos ? "" : header.c_str() + open + std::strlen("'shape': (");
  while (*at >= '0' && *at <= '9') {
    char *end;
    shape.push_back(std::strtoll(at, &end, 10));
    if (__builtin_mul_overflow(elements, shape.back(), &elements))
      return path + ": the shape is too large";
    at = end;
    while (*at == ',' || *at == ' ')
      ++at;
  }
  if (shape.size() != rank)
    return path + ": the array has " + std::to_string(shape.size()) + " dimensions instead of " + std::to_string(rank);

  auto start = file.tellg();
  file.seekg(0, std::ios::end);
  int64_t bytes = file.tellg() - start;
  if (elements > bytes / static_cast<int64_t>(sizeof(T)) || elements * static_cast<int64_t>(sizeof(T)) != bytes)
    return path + ": holds " + std::to_string(bytes) + " bytes of elements, which its shape does not fit";
  file.seekg(start);
  data.resize(static_cast<size_t>(elements));
  if (!file.read(reinterpret_cast<char *>(data.data()), bytes))
    return path + ": cannot read: " + std::strerror(errno);
  return "";
}

#define INSTANTIATE(T)                                                                                                 \
  template std::string tower::writeNpy(const std::string &, const std::vector<T> &, const std::vector<int64_t> &);     \
  template std::string tower::readNpy(const std::string &, size_t, std::vector<T> &, std::vector<int64_t> &);
INSTANTIATE(int32_t)
INSTANTIATE(int64_t)
INSTANTIATE(float)
INSTANTIATE(double)
