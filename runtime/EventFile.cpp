// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Event messages in protobuf's wire format, in TFRecords.
#include "runtime/EventFile.h"

#include <array>
#include <bit>

namespace tower::rt {

namespace {
constexpr std::array<uint32_t, 256> crcTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit)
      crc = crc & 1 ? (crc >> 1) ^ 0x82f63b78u : crc >> 1;
    table[byte] = crc;
  }
  return table;
}

template <typename T> void appendLittleEndian(std::string &out, T value) {
  for (size_t i = 0; i < sizeof(T); ++i)
    out += static_cast<char>(value >> (8 * i));
}

// TFRecord masks checksums because a record may itself hold records.
uint32_t maskedCrc(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xa282ead8u; }

void appendVarint(std::string &out, uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

// Wire types of protobuf: 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes.
void appendTag(std::string &out, int field, int wire) { appendVarint(out, static_cast<uint64_t>(field) << 3 | wire); }

void appendDouble(std::string &out, int field, double value) {
  appendTag(out, field, 1);
  appendLittleEndian(out, std::bit_cast<uint64_t>(value));
}

void appendFloat(std::string &out, int field, float value) {
  appendTag(out, field, 5);
  appendLittleEndian(out, std::bit_cast<uint32_t>(value));
}

void appendInteger(std::string &out, int field, uint64_t value) {
  appendTag(out, field, 0);
  appendVarint(out, value);
}

void appendBytes(std::string &out, int field, std::string_view bytes) {
  appendTag(out, field, 2);
  appendVarint(out, bytes.size());
  out += bytes;
}
} // namespace

uint32_t crc32c(std::string_view bytes) {
  static constexpr std::array<uint32_t, 256> table = crcTable();
  uint32_t crc = ~0u;
  for (unsigned char byte : bytes)
    crc = (crc >> 8) ^ table[(crc ^ byte) & 0xff];
  return ~crc;
}

std::string tfRecord(std::string_view bytes) {
  std::string record;
  appendLittleEndian(record, static_cast<uint64_t>(bytes.size()));
  appendLittleEndian(record, maskedCrc(record));
  record += bytes;
  appendLittleEndian(record, maskedCrc(bytes));
  return record;
}

// Event: 1 wall_time (double), 2 step, 3 file_version, 5 summary, 7 session_log.
std::string encodeVersionEvent(double seconds) {
  std::string event;
  appendDouble(event, 1, seconds);
  appendBytes(event, 3, "brain.Event:2");
  return event;
}

std::string encodeStartEvent(double seconds, int64_t step) {
  std::string log; // SessionLog: 1 status (1 = START)
  appendInteger(log, 1, 1);
  std::string event;
  appendDouble(event, 1, seconds);
  appendInteger(event, 2, static_cast<uint64_t>(step));
  appendBytes(event, 7, log);
  return event;
}

std::string encodeScalarsEvent(double seconds, int64_t step, const Scalars &scalars) {
  std::string summary; // Summary: 1 value; Value: 1 tag, 2 simple_value (float)
  for (const auto &[tag, number] : scalars) {
    std::string value;
    appendBytes(value, 1, tag);
    appendFloat(value, 2, number);
    appendBytes(summary, 1, value);
  }
  std::string event;
  appendDouble(event, 1, seconds);
  appendInteger(event, 2, static_cast<uint64_t>(step));
  appendBytes(event, 5, summary);
  return event;
}

} // namespace tower::rt
