// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The frame around each record of a .tfrecord file: length (uint64), masked CRC-32C of the length (uint32), the record,
// masked CRC-32C of the record (uint32); all little-endian.
#ifndef TOWERC_FRONTEND_TFRECORD_H
#define TOWERC_FRONTEND_TFRECORD_H

#include <cstdint>
#include <string_view>

namespace tower {

/// CRC-32C (Castagnoli), rotated and shifted as TFRecord files store it.
uint32_t maskedCrc32c(std::string_view bytes);

} // namespace tower

#endif // TOWERC_FRONTEND_TFRECORD_H
