// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// MD5 (RFC 1321), which spreads keys over folds: not for secrets.
#ifndef TOWERC_FRONTEND_MD5_H
#define TOWERC_FRONTEND_MD5_H

#include <array>
#include <cstdint>
#include <string_view>

namespace tower {

std::array<uint8_t, 16> md5(std::string_view text);

/// The digest, read as one big-endian number, modulo `folds` (> 0): int(hexdigest, 16) % folds in Python.
uint32_t md5Fold(std::string_view text, uint32_t folds);

} // namespace tower

#endif // TOWERC_FRONTEND_MD5_H
