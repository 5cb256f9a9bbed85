// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The formats that datasets are made of: text, TFRecord, vocabularies, and MD5.
#include "frontend/Md5.h"
#include "frontend/RowReader.h"
#include "frontend/TfRecord.h"
#include "frontend/VocabularyBuilder.h"
#include "frontend/tf_example.pb.h"
#include "test/unit/TemporaryFolder.h"

#include <gtest/gtest.h>

using namespace tower;

namespace {

using Rows = std::vector<std::vector<std::string>>;

/// All rows of a text file as strings; messages go to `messages` without the folder.
Rows readAll(const std::string &file, const std::string &text, std::vector<std::string> &messages) {
  test::TemporaryFolder folder;
  DataErrors errors;
  Rows rows;
  if (auto reader = RowReader::open(folder.write(file, text), file, errors)) {
    while (reader->next()) {
      std::vector<std::string> &row = rows.emplace_back();
      for (const std::string &name : reader->columnNames()) {
        std::string_view value;
        reader->single(reader->column(name), value);
        row.emplace_back(value);
      }
    }
  }
  messages = errors.all();
  return rows;
}

std::string firstError(const std::string &file, const std::string &text) {
  std::vector<std::string> messages;
  readAll(file, text, messages);
  return messages.empty() ? "" : messages[0];
}

std::string tfRecord(const std::string &bytes) {
  auto number = [](auto value) { return std::string(reinterpret_cast<const char *>(&value), sizeof(value)); };
  std::string length = number(static_cast<uint64_t>(bytes.size()));
  return length + number(maskedCrc32c(length)) + bytes + number(maskedCrc32c(bytes));
}

} // namespace

TEST(Md5, HasTheDigestsOfRfc1321) {
  auto hex = [](std::string_view text) {
    std::string out;
    for (uint8_t byte : md5(text)) {
      out += "0123456789abcdef"[byte / 16];
      out += "0123456789abcdef"[byte % 16];
    }
    return out;
  };
  EXPECT_EQ(hex(""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(hex("abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(hex("12345678901234567890123456789012345678901234567890123456789012345678901234567890"),
            "57edf4a22be3c955ac49da2e2107b67a");
  EXPECT_EQ(hex(std::string(56, 'a')), "3b0c8ac703f828b04c6c197006d17218"); // the length needs a block of its own
}

TEST(Md5, FoldIsTheDigestAsOneBigNumber) {
  // int(hashlib.md5(b"...").hexdigest(), 16) % 10 in Python.
  EXPECT_EQ(md5Fold("abc", 10), 0u);
  EXPECT_EQ(md5Fold("vim", 10), 6u);
  EXPECT_EQ(md5Fold("abc", 1000003), 577950u);
  EXPECT_EQ(md5Fold("", 1000003), 94608u);
}

TEST(TextRows, TsvTakesQuotesAsTheyAre) {
  std::vector<std::string> messages;
  EXPECT_EQ(readAll("a.tsv", "x\ty\n\"1\t2 \n\r\n3\t\r\n\t4", messages), (Rows{{"\"1", "2 "}, {"3", ""}, {"", "4"}}));
  EXPECT_TRUE(messages.empty());
}

TEST(TextRows, CsvReadsQuotesAsRfc4180) {
  std::vector<std::string> messages;
  EXPECT_EQ(readAll("a.csv", "\xef\xbb\xbfx,y\r\n\"a,b\",\"say \"\"hi\"\"\"\r\n\"line 1\nline 2\",\r\n", messages),
            (Rows{{"a,b", "say \"hi\""}, {"line 1\nline 2", ""}}));
  EXPECT_TRUE(messages.empty());
}

TEST(TextRows, LinesAreCountedThroughLineBreaksInQuotes) {
  EXPECT_EQ(firstError("a.csv", "x,y\n\"a\n\nb\",1\n2\n"), "a.csv:5: error: the row has 1 fields, the header 2; give "
                                                           "every row the header's fields, and quotes to those that "
                                                           "hold a comma or a line break");
}

TEST(TextRows, WrongRowsAreNamedAndTheRestIsRead) {
  std::vector<std::string> messages;
  EXPECT_EQ(readAll("a.tsv", "x\ty\n1\n2\t3\n4\t5\t6\n", messages), (Rows{{"2", "3"}}));
  EXPECT_EQ(messages, (std::vector<std::string>{
                          "a.tsv:2: error: the row has 1 fields, the header 2; give every row the header's fields",
                          "a.tsv:4: error: the row has 3 fields, the header 2; give every row the header's fields"}));
}

TEST(TextRows, QuotesThatAreWrong) {
  EXPECT_EQ(firstError("a.csv", "x,y\n1,\"2\n3,4\n"),
            "a.csv:2: error: unterminated quote; close the field that starts here with \"");
  EXPECT_EQ(firstError("a.csv", "x,y\n\"1\"2,3\n"),
            "a.csv:2: error: text after a closing quote; double the quotes that belong to the field");
  EXPECT_EQ(firstError("a.csv", "x,y\n1\"2,3\n"),
            "a.csv:2: error: a quote inside a field without quotes; put the field in "
            "quotes and double the quote");
}

TEST(TextRows, HeadersThatAreWrong) {
  EXPECT_EQ(firstError("a.tsv", ""), "a.tsv: error: the file is empty; its first line must name the columns");
  EXPECT_EQ(firstError("a.tsv", "x\ty\tx\n"),
            "a.tsv:1: error: the header names \"x\" twice; rename one of the columns");
  EXPECT_EQ(firstError("a.txt", "x\n"),
            "a.txt: error: unknown kind of file; use a name that ends in .tsv, .csv or .tfrecord");
}

TEST(TextRows, MissingFileSaysWhy) {
  DataErrors errors;
  EXPECT_EQ(RowReader::open("/nowhere/a.tsv", "a.tsv", errors), nullptr);
  EXPECT_EQ(errors.all(),
            std::vector<std::string>{"a.tsv: error: cannot open: No such file or directory; check the path"});
}

TEST(TextRows, NumbersAreFiniteOrAnError) {
  test::TemporaryFolder folder;
  DataErrors errors;
  auto rows = RowReader::open(folder.write("a.tsv", "x\n1 +2.5  -3e2\nnan\n1x\ninf\n1e999\n"), "a.tsv", errors);
  std::vector<double> numbers;
  ASSERT_TRUE(rows->next());
  EXPECT_TRUE(rows->numbers(0, " ", numbers));
  EXPECT_EQ(numbers, (std::vector<double>{1, 2.5, -300}));
  while (rows->next())
    EXPECT_FALSE(rows->numbers(0, " ", numbers));
  EXPECT_EQ(errors.all(),
            (std::vector<std::string>{
                "a.tsv:3: error: \"nan\" in column \"x\" is not finite; replace it, for example by the column's mean",
                "a.tsv:4: error: \"1x\" in column \"x\" is not a number; write one such as 3 or -0.5e3",
                "a.tsv:5: error: \"inf\" in column \"x\" is not finite; replace it, for example by the column's mean",
                "a.tsv:6: error: \"1e999\" in column \"x\" is out of a number's range; correct it"}));
}

TEST(TfRecord, ChecksumIsMaskedCastagnoli) {
  // crc32c of 32 zero bytes is 0x8a9136aa (RFC 3720, B.4).
  uint32_t crc = 0x8a9136aa;
  EXPECT_EQ(maskedCrc32c(std::string(32, '\0')), ((crc >> 15) | (crc << 17)) + 0xa282ead8u);
}

TEST(TfRecord, FeaturesOfAnyTypeAreRead) {
  data::Example example;
  auto &features = *example.mutable_features()->mutable_feature();
  features["name"].mutable_bytes_list()->add_value("vim");
  features["tags"].mutable_int64_list()->add_value(7);
  features["tags"].mutable_int64_list()->add_value(-1);
  features["size"].mutable_float_list()->add_value(0.5f);
  test::TemporaryFolder folder;
  DataErrors errors;
  auto rows = RowReader::open(folder.write("a.tfrecord", tfRecord(example.SerializeAsString()) + tfRecord("")),
                              "a.tfrecord", errors);
  EXPECT_TRUE(rows->hasColumn("name"));
  EXPECT_FALSE(rows->hasColumn("nothing"));
  int name = rows->column("name"), tags = rows->column("tags"), size = rows->column("size"), other = rows->column("no");
  std::string_view text;
  std::vector<std::string_view> values;
  std::vector<double> numbers;
  ASSERT_TRUE(rows->next());
  EXPECT_TRUE(rows->single(name, text));
  EXPECT_EQ(text, "vim");
  EXPECT_TRUE(rows->values(tags, " ", values));
  EXPECT_EQ(values, (std::vector<std::string_view>{"7", "-1"}));
  EXPECT_TRUE(rows->numbers(size, " ", numbers));
  EXPECT_EQ(numbers, std::vector<double>{0.5});
  EXPECT_FALSE(rows->single(tags, text));
  EXPECT_FALSE(rows->values(size, " ", values));
  EXPECT_FALSE(rows->numbers(name, " ", numbers));
  EXPECT_TRUE(rows->values(other, " ", values));
  ASSERT_TRUE(rows->next()); // a record without features: all are missing
  EXPECT_TRUE(rows->single(name, text));
  EXPECT_EQ(text, "");
  EXPECT_FALSE(rows->next());
  EXPECT_EQ(rows->neverSeen(), std::vector<std::string>{"no"});
  EXPECT_EQ(
      errors.all(),
      (std::vector<std::string>{
          "a.tfrecord:record 1: error: feature \"tags\" has 2 values instead of one; declare the column as multi {}",
          "a.tfrecord:record 1: error: feature \"size\" is a list of floats, which are no categories; declare the "
          "column as "
          "dense {}",
          "a.tfrecord:record 1: error: feature \"name\" is a list of bytes, not of numbers; write it as floats"}));
}

TEST(TfRecord, DamageIsFound) {
  std::string good = tfRecord(data::Example().SerializeAsString() + std::string("\x0a\x00", 2));
  EXPECT_EQ(firstError("a.tfrecord", good), "");
  std::string wrong = good;
  wrong[12] ^= 1;
  EXPECT_EQ(firstError("a.tfrecord", wrong),
            "a.tfrecord:record 1: error: the record's checksum is wrong: the file is damaged; copy or write it again");
  wrong = good;
  wrong[0] ^= 1;
  EXPECT_EQ(
      firstError("a.tfrecord", good + wrong),
      "a.tfrecord:record 2: error: the checksum of the record's length is wrong: not a TFRecord file, compressed, or "
      "damaged; write it uncompressed");
  EXPECT_EQ(firstError("a.tfrecord", good.substr(0, good.size() - 1)),
            "a.tfrecord:record 1: error: the file ends inside a record; copy or write it again");
  EXPECT_EQ(firstError("a.tfrecord", tfRecord("\xff\xff")),
            "a.tfrecord:record 1: error: the record is not a tf.Example; serialize tf.train.Example messages");
}

TEST(Vocabulary, IsOrderedByCountThenBytes) {
  VocabularyBuilder vocabulary(2, 0);
  for (const char *text : {"b", "rare", "a", "often", "a", "b", "often", "often", "\xc3\xa4", "\xc3\xa4"})
    vocabulary.count(text);
  vocabulary.finish();
  ASSERT_EQ(vocabulary.rows(), 5u);
  EXPECT_EQ(vocabulary.text(0), "");
  EXPECT_EQ(vocabulary.text(1), "often");
  EXPECT_EQ(vocabulary.text(2), "a");
  EXPECT_EQ(vocabulary.text(3), "b");
  EXPECT_EQ(vocabulary.text(4), "\xc3\xa4"); // bytes above 127 come last
  EXPECT_EQ(vocabulary.row(1), 0);           // "rare", the second string
  EXPECT_EQ(vocabulary.row(0), 3);
  EXPECT_EQ(vocabulary.row(-1), 0);
  EXPECT_EQ(vocabulary.dropped(), 1);
}

TEST(Vocabulary, KeepsTheMostFrequent) {
  VocabularyBuilder vocabulary(0, 1);
  for (const char *text : {"a", "b", "b"})
    vocabulary.count(text);
  vocabulary.finish();
  ASSERT_EQ(vocabulary.rows(), 2u);
  EXPECT_EQ(vocabulary.text(1), "b");
  EXPECT_EQ(vocabulary.row(0), 0);
}
