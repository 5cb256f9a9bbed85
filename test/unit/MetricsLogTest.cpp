// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Metrics as files: known bytes of TFRecord and Event, a decoder of the fields we write, and JSON lines on resuming.
#include "runtime/MetricsLog.h"
#include "runtime/Error.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace tower::rt;

namespace {
std::string slurp(const std::filesystem::path &path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

struct Field {
  int number, wire;
  uint64_t value;    // wire 0, 1 and 5
  std::string bytes; // wire 2
};

/// Protobuf's wire format, decoded field by field.
std::vector<Field> decode(const std::string &text) {
  std::vector<Field> fields;
  size_t at = 0;
  auto varint = [&] {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      auto byte = static_cast<unsigned char>(text.at(at++));
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80)
        return value;
    }
  };
  while (at < text.size()) {
    uint64_t tag = varint();
    Field field{static_cast<int>(tag >> 3), static_cast<int>(tag & 7), 0, ""};
    if (field.wire == 0) {
      field.value = varint();
    } else if (field.wire == 2) {
      size_t size = varint();
      field.bytes = text.substr(at, size);
      at += size;
    } else {
      size_t size = field.wire == 1 ? 8 : 4;
      std::memcpy(&field.value, text.data() + at, size);
      at += size;
    }
    fields.push_back(field);
  }
  EXPECT_EQ(at, text.size());
  return fields;
}

/// The payloads of a TFRecord file; every checksum must be right.
std::vector<std::string> records(const std::string &text) {
  std::vector<std::string> payloads;
  for (size_t at = 0; at < text.size();) {
    uint64_t size;
    std::memcpy(&size, text.data() + at, 8);
    payloads.push_back(text.substr(at + 12, size));
    EXPECT_EQ(text.substr(at, 16 + size), tfRecord(payloads.back()));
    at += 16 + size;
  }
  return payloads;
}

struct Folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("tower-metrics-" + std::to_string(getpid()));
  ~Folder() { std::filesystem::remove_all(path); }
};
} // namespace

TEST(EventFile, Crc32cMatchesPublishedVectors) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau); // RFC 3720, B.4
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
}

// Every event file that TensorFlow writes starts with these 13 bytes: 24, its masked checksum, the tag of wall_time.
TEST(EventFile, VersionRecordStartsAsTensorFlowsDoes) {
  std::string record = tfRecord(encodeVersionEvent(1.5));
  EXPECT_EQ(record.substr(0, 13), std::string("\x18\0\0\0\0\0\0\0\xa3\x7f\x4b\x22\x09", 13));
  EXPECT_EQ(record.substr(13, 8), std::string("\0\0\0\0\0\0\xf8\x3f", 8));
  EXPECT_EQ(record.substr(21, 15), "\x1a\x0d"
                                   "brain.Event:2");
}

TEST(EventFile, ScalarsDecode) {
  auto event = decode(encodeScalarsEvent(2.5, 300, {{"loss", 0.25f}, {"loss/main", -1.0f}}));
  ASSERT_EQ(event.size(), 3u);
  EXPECT_EQ(event[0].number, 1);
  EXPECT_EQ(event[1].number, 2);
  EXPECT_EQ(event[1].value, 300u);
  EXPECT_EQ(event[2].number, 5);
  auto values = decode(event[2].bytes);
  ASSERT_EQ(values.size(), 2u);
  auto value = decode(values[1].bytes);
  ASSERT_EQ(value.size(), 2u);
  EXPECT_EQ(value[0].bytes, "loss/main");
  EXPECT_EQ(value[1].number, 2);
  EXPECT_EQ(value[1].wire, 5);
  EXPECT_EQ(value[1].value, 0xbf800000u);
}

TEST(MetricsLog, WritesLinesAndEvents) {
  Folder folder;
  MetricsLog log;
  log.open(folder.path, 0);
  log.write(1, {{"loss", 0.5f}});
  log.write(2, {{"loss", 0.25f}});
  EXPECT_EQ(slurp(folder.path / "train.jsonl"), "{\"step\":1,\"loss\":0.5}\n{\"step\":2,\"loss\":0.25}\n");
  for (const auto &entry : std::filesystem::directory_iterator(folder.path))
    if (entry.path().filename().string().starts_with("events.out.tfevents.")) {
      auto payloads = records(slurp(entry.path()));
      ASSERT_EQ(payloads.size(), 4u);
      EXPECT_EQ(decode(payloads[1])[2].number, 7); // the session starts
      EXPECT_EQ(decode(payloads[3])[1].value, 2u);
    }
}

TEST(MetricsLog, AResumedRunDropsWhatTheCutRunWroteLater) {
  Folder folder;
  std::filesystem::create_directories(folder.path);
  std::ofstream(folder.path / "train.jsonl") << "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n{\"ste";
  MetricsLog log;
  log.open(folder.path, 2);
  log.write(3, {{"loss", 1.0f}});
  EXPECT_EQ(slurp(folder.path / "train.jsonl"), "{\"step\":1}\n{\"step\":2}\n{\"step\":3,\"loss\":1.0}\n");
}

TEST(MetricsLog, SaysWhereItCannotWrite) {
  MetricsLog log;
  try {
    log.open("/proc/none/metrics", 0);
    FAIL() << "a folder was made in /proc";
  } catch (const Error &error) {
    EXPECT_NE(std::string(error.what()).find("cannot create the metrics folder '/proc/none/metrics'"),
              std::string::npos);
  }
}
