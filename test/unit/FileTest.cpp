// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files, their hashes, .npy and lines.
#include "runtime/Error.h"
#include "runtime/Lines.h"
#include "runtime/Npy.h"
#include "test/unit/RuntimeFixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

using namespace tower::rt;
using namespace tower::test;
using testing::HasSubstr;

namespace {

/// A .npy file of version 1.
std::string npy(std::string header, std::string_view data) {
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  return std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header + std::string(data);
}

int filesIn(const TemporaryFolder &folder) {
  int count = 0;
  for ([[maybe_unused]] const auto &entry : std::filesystem::directory_iterator(folder.path()))
    ++count;
  return count;
}

} // namespace

TEST(File, HashesAreXxh64) {
  EXPECT_EQ(hex(hashBytes("")), "ef46db3751d8e999");
  EXPECT_EQ(hex(hashBytes("a")), "d24ec4f1a98c6e5b");
  EXPECT_EQ(hex(hashBytes("abc")), "44bc2cf5ad770999");
  EXPECT_EQ(hex(hashBytes("Nobody inspects the spammish repetition")), "fbcea83c8a378bf1");
}

TEST(File, IsReplacedAsAWholeOrNotAtAll) {
  TemporaryFolder folder;
  std::string big(300000, 'x');
  replaceFile(folder / "f", [&](FileWriter &file) {
    file.write("head\n");
    file.write(big);
    file.write("tail");
  });
  EXPECT_EQ(readText(folder / "f"), "head\n" + big + "tail");
  EXPECT_EQ(messageOf([&] {
              replaceFile(folder / "f", [](FileWriter &file) {
                file.write("half");
                throw Error("the writer gave up");
              });
            }),
            "the writer gave up");
  EXPECT_EQ(readText(folder / "f").size(), big.size() + 9);
  EXPECT_EQ(filesIn(folder), 1);
}

TEST(File, SaysWhatCannotBeOpenedOrWritten) {
  TemporaryFolder folder;
  EXPECT_EQ(messageOf([&] { MappedFile(folder / "none"); }),
            (folder / "none") + ": cannot be opened: No such file or directory");
  EXPECT_THAT(messageOf([&] { MappedFile(folder.path()); }), HasSubstr("is not a file"));
  EXPECT_THAT(messageOf([&] { replaceFile(folder / "none/f", [](FileWriter &) {}); }),
              HasSubstr("none/f: cannot be written: No such file or directory"));
}

TEST(Npy, ReadsWhatItWrites) {
  TemporaryFolder folder;
  std::vector<float> numbers = {1, 2, 3, 4, 5, 6};
  writeNpy<float>(folder / "a.npy", numbers, {3, 2});
  std::string bytes = folder.read("a.npy");
  EXPECT_EQ(bytes.size() % 64, 24u); // a header padded to 64 bytes, then 24 of elements
  EXPECT_THAT(bytes, HasSubstr("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }"));
  NpyFile file(folder / "a.npy");
  EXPECT_EQ(file.type(), ElementType::F32);
  EXPECT_EQ(file.shape(), (std::vector<int64_t>{3, 2}));
  std::span<const float> read = file.as<float>({3, 2});
  EXPECT_EQ(std::vector<float>(read.begin(), read.end()), numbers);
  EXPECT_THAT(messageOf([&] {
                file.as<int32_t>({3, 2});
              }),
              HasSubstr("a.npy: holds float32 of shape (3, 2), but int32 of shape (3, 2) is expected"));
  EXPECT_THAT(messageOf([&] { file.as<float>({6}); }), HasSubstr("float32 of shape (6,) is expected"));
  writeNpy<int64_t>(folder / "b.npy", {}, {0});
  EXPECT_TRUE(NpyFile(folder / "b.npy").as<int64_t>({0}).empty());
}

TEST(Npy, ReadsVersionTwo) {
  TemporaryFolder folder;
  std::string header = "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }";
  header.append(63 - (12 + header.size()) % 64, ' ');
  header += '\n';
  writeText(folder / "a.npy", std::string("\x93NUMPY\x02\x00", 8) + static_cast<char>(header.size()) +
                                  std::string(3, '\0') + header + std::string("\7\0\0\0\0\0\0\0\1\1\0\0\0\0\0\0", 16));
  NpyFile file(folder / "a.npy");
  EXPECT_EQ(file.as<int64_t>({2})[0], 7);
  EXPECT_EQ(file.as<int64_t>({2})[1], 257);
}

TEST(Npy, RefusesOtherFiles) {
  TemporaryFolder folder;
  auto message = [&](std::string_view content) {
    writeText(folder / "a.npy", content);
    return messageOf([&] { NpyFile(folder / "a.npy"); });
  };
  std::string eight(8, '\0');
  EXPECT_EQ(message(npy("{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }", eight)), "");
  EXPECT_THAT(message(""), HasSubstr("a.npy: is not a .npy file"));
  EXPECT_THAT(message("key,value\n1,2\n"), HasSubstr("is not a .npy file"));
  EXPECT_THAT(message(std::string_view("\x93NUMPY\x03\x00zz", 10)), HasSubstr("of version 3"));
  EXPECT_THAT(message(std::string_view("\x93NUMPY\x01\x00\x70\x01", 10)), HasSubstr("is truncated"));
  EXPECT_THAT(message(npy("{'descr': '>i4', 'fortran_order': False, 'shape': (2,), }", eight)),
              HasSubstr("elements of type '>i4'"));
  EXPECT_THAT(message(npy("{'descr': '<i4', 'fortran_order': True, 'shape': (2,), }", eight)), HasSubstr("Fortran"));
  EXPECT_THAT(message(npy("{'descr': '<i4', 'fortran_order': False, 'shape': 2, }", eight)),
              HasSubstr("without a shape"));
  EXPECT_THAT(message(npy("{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }", eight)),
              HasSubstr("has 8 bytes of elements, but shape (3,) of int32 needs 3 x 4"));
  EXPECT_THAT(message(npy("{'descr': '<i4', 'fortran_order': False, 'shape': (1,), }", eight)),
              HasSubstr("has 8 bytes of elements"));
  EXPECT_THAT(
      message(npy("{'descr': '<i8', 'fortran_order': False, 'shape': (1125899906842624, 1125899906842624)}", "")),
      HasSubstr("impossible shape"));
}

TEST(Lines, AreFoundByTextAndRow) {
  TemporaryFolder folder;
  writeText(folder / "keys.txt", "\nvim\nemacs\nvim\nlast");
  Lines lines(folder / "keys.txt", 5);
  EXPECT_EQ(lines[0], "");
  EXPECT_EQ(lines[2], "emacs");
  EXPECT_EQ(lines[4], "last");
  EXPECT_EQ(lines.find("vim"), 1);
  EXPECT_EQ(lines.find("last"), 4);
  EXPECT_EQ(lines.find("nano"), std::nullopt);
  EXPECT_THAT(messageOf([&] { Lines(folder / "keys.txt", 4); }),
              HasSubstr("keys.txt: has 5 lines, but schema.json says 4"));
}
