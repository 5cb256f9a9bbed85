// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NumPy's .npy files, version 1.0, little-endian, C order: what the importer writes and `towerc data mi` reads.
#ifndef TOWERC_FRONTEND_NPY_H
#define TOWERC_FRONTEND_NPY_H

#include <cstdint>
#include <string>
#include <vector>

namespace tower {

/// Write `data` as an array of `shape`; T is int32_t, int64_t, float or double. Returns an error's text or "".
template <typename T>
std::string writeNpy(const std::string &path, const std::vector<T> &data, const std::vector<int64_t> &shape);

/// Read an array of element type T whose shape has `rank` dimensions. Returns an error's text, with the path, or "".
template <typename T>
std::string readNpy(const std::string &path, size_t rank, std::vector<T> &data, std::vector<int64_t> &shape);

} // namespace tower

#endif // TOWERC_FRONTEND_NPY_H
