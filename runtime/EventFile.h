// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// TensorBoard's event files, written by hand: TFRecord framing around the few fields of the Event message we need.
#ifndef TOWER_RUNTIME_EVENTFILE_H
#define TOWER_RUNTIME_EVENTFILE_H

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tower::rt {

/// CRC-32C (Castagnoli), as TFRecord and RFC 3720 define it.
uint32_t crc32c(std::string_view bytes);

/// One TFRecord: length, masked CRC of the length, the bytes, masked CRC of the bytes; all little endian.
std::string tfRecord(std::string_view bytes);

using Scalars = std::vector<std::pair<std::string, float>>;

/// The first event of a file: seconds since 1970 and the format's version.
std::string encodeVersionEvent(double seconds);
/// A run starts at `step`: a viewer drops what older files of the folder say about this and later steps.
std::string encodeStartEvent(double seconds, int64_t step);
/// Values by tag at `step`.
std::string encodeScalarsEvent(double seconds, int64_t step, const Scalars &scalars);

} // namespace tower::rt

#endif // TOWER_RUNTIME_EVENTFILE_H
