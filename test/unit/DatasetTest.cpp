// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Datasets: what is read, what is refused, and the stamp.
#include "runtime/Dataset.h"
#include "runtime/Error.h"
#include "test/unit/RuntimeFixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

using namespace tower::rt;
using namespace tower::test;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

class DatasetTest : public testing::Test {
protected:
  DatasetTest() { writeDataset(folder); }

  template <class T> void rewrite(const char *file, const std::vector<T> &values) {
    writeNpy<T>(folder / file, values, {static_cast<int64_t>(values.size())});
  }
  void edit(const char *file, const std::string &from, const std::string &to) {
    std::string text = readText(folder / file);
    size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos);
    writeText(folder / file, text.replace(at, from.size(), to));
  }
  /// Why the dataset is not opened, less its folder's name.
  std::string refusal() const {
    std::string message = messageOf([&] { Dataset(folder.path()); });
    return message.starts_with(folder.path() + "/") ? message.substr(folder.path().size() + 1) : message;
  }

  TemporaryFolder folder;
};

} // namespace

TEST_F(DatasetTest, IsMapped) {
  Dataset data(folder.path() + "/");
  EXPECT_EQ(data.folder(), folder.path());
  EXPECT_EQ(data.queryEntity(), "item");
  const Entity &item = data.entity("item");
  EXPECT_EQ(item.rows, 4);
  EXPECT_THAT(item.find("color")->ids, ElementsAre(1, 2, 0, 1));
  EXPECT_EQ(item.find("color")->vocabularyRows, 3);
  EXPECT_THAT(item.find("words")->row(1), ElementsAre());
  EXPECT_THAT(item.find("words")->row(3), ElementsAre(2, 3, 1));
  EXPECT_EQ(item.find("words")->longest, 3);
  EXPECT_THAT(item.find("size")->numbers, ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(item.find("price"), nullptr);
  EXPECT_THAT(data.pairs("train").item, ElementsAre(1, 2, 1, 1, 2));
  EXPECT_THAT(data.pairs("train").weight, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_TRUE(data.pairs("test").weight.empty());
  EXPECT_EQ(data.findPairs("dev"), nullptr);
  EXPECT_EQ(data.keys("item").find("c"), 2);
  EXPECT_EQ(data.vocabulary("word")[3], "new");
  EXPECT_THAT(messageOf([&] { data.entity("user"); }), HasSubstr("has no entity 'user'"));
  EXPECT_THAT(messageOf([&] { data.pairs("validation"); }), HasSubstr("has no pairs in split 'validation'"));
}

TEST_F(DatasetTest, ReadsMutualInformation) {
  Dataset data(folder.path());
  EXPECT_EQ(messageOf([&] { data.mutualInformation("item"); }),
            folder.path() + "/item/mi.json: is missing, and correlated masks need it: run `towerc data mi " +
                folder.path() + "`");
  writeMutualInformation(folder);
  MutualInformation mi = data.mutualInformation("item");
  EXPECT_THAT(mi.features, ElementsAre("color", "words", "size"));
  EXPECT_EQ(mi.plugin[2], 0.7);
  EXPECT_EQ(mi.corrected[2], 0.2);
  EXPECT_EQ(mi.find("size"), 2u);
  edit("item/mi.json", "[0.5, 2, 0.1]", "[0.5, 2]");
  EXPECT_THAT(messageOf([&] { data.mutualInformation("item"); }), HasSubstr("mi.json: plugin: is not a square"));
}

TEST_F(DatasetTest, RefusesWhatIsNoDataset) {
  TemporaryFolder empty;
  EXPECT_THAT(messageOf([&] { Dataset(empty.path()); }), HasSubstr("is not a dataset"));
  writeText(folder / "schema.json", "{\"entities\": [");
  EXPECT_THAT(refusal(), HasSubstr("schema.json: is not JSON: it goes wrong at byte"));
}

TEST_F(DatasetTest, RefusesAWrongSchema) {
  edit("schema.json", "\"SINGLE\"", "\"SOME\"");
  EXPECT_THAT(refusal(), HasSubstr("schema.json: entities[0].columns[0]: column 'color' has kind 'SOME'"));
  edit("schema.json", "\"SOME\", \"vocabulary\": \"color\"", "\"SINGLE\", \"vocabulary\": \"hue\"");
  EXPECT_THAT(refusal(), HasSubstr("there is none named 'hue'"));
  edit("schema.json", "\"hue\"", "\"color\"");
  edit("schema.json", "\"total\": \"6\"", "\"total\": \"six\"");
  EXPECT_THAT(refusal(), HasSubstr("columns[1].total: is not an integer"));
  edit("schema.json", "\"total\": \"six\"", "\"total\": \"6\"");
  edit("schema.json", "\"query_entity\": \"item\"", "\"query_entity\": \"user\"");
  EXPECT_EQ(refusal(), "schema.json: query_entity: there is no entity named 'user'");
  edit("schema.json", "\"query_entity\": \"user\"", "\"query_entity\": \"item\"");
  edit("schema.json", "\"name\": \"color\", \"rows\"", "\"name\": \"../color\", \"rows\"");
  EXPECT_THAT(refusal(), HasSubstr("'../color' cannot name a file"));
}

TEST_F(DatasetTest, RefusesAMissingFile) {
  std::filesystem::remove(folder / "item/color.npy");
  EXPECT_EQ(refusal(), "item/color.npy: cannot be opened: No such file or directory");
}

TEST_F(DatasetTest, RefusesOtherShapesAndTypes) {
  rewrite<int32_t>("item/color.npy", {1, 2, 0});
  EXPECT_EQ(refusal(),
            "item/color.npy: holds int32 of shape (3,), but int32 of shape (4,) is expected from schema.json");
  rewrite<int64_t>("item/color.npy", {1, 2, 0, 1});
  EXPECT_THAT(refusal(), HasSubstr("item/color.npy: holds int64"));
}

TEST_F(DatasetTest, RefusesATruncatedColumn) {
  std::filesystem::resize_file(folder / "item/size.npy", std::filesystem::file_size(folder / "item/size.npy") - 1);
  EXPECT_THAT(refusal(), HasSubstr("item/size.npy: has 15 bytes of elements"));
}

TEST_F(DatasetTest, RefusesIdsOutOfRange) {
  rewrite<int32_t>("item/color.npy", {1, 2, 3, 1});
  EXPECT_EQ(refusal(), "item/color.npy: row 2: 3 is not in [0, 3), the rows of vocabulary 'color'");
  rewrite<int32_t>("item/color.npy", {1, -1, 0, 1});
  EXPECT_THAT(refusal(), HasSubstr("item/color.npy: row 1: -1 is not in [0, 3)"));
  rewrite<int32_t>("item/color.npy", {1, 1, 0, 1});
  rewrite<int32_t>("item/words.values.npy", {1, 2, 3, 4, 3, 1});
  EXPECT_EQ(refusal(), "item/words.values.npy: row 3: 4 is not in [0, 4), the rows of vocabulary 'word'");
}

TEST_F(DatasetTest, RefusesWrongOffsets) {
  rewrite<int64_t>("item/words.offsets.npy", {1, 2, 2, 3, 6});
  EXPECT_EQ(refusal(), "item/words.offsets.npy: row 0: the first offset is 1, not 0");
  rewrite<int64_t>("item/words.offsets.npy", {0, 2, 1, 3, 6});
  EXPECT_EQ(refusal(), "item/words.offsets.npy: row 2: offsets decrease from 2 to 1");
  rewrite<int64_t>("item/words.offsets.npy", {0, 2, 2, 3, 5});
  EXPECT_EQ(refusal(), "item/words.offsets.npy: row 4: the last offset is 5, but there are 6 values");
  rewrite<int64_t>("item/words.offsets.npy", {0, 0, 0, 2, 6});
  EXPECT_EQ(refusal(), "item/words.offsets.npy: row 3: has 4 values, but schema.json says at most 3");
}

TEST_F(DatasetTest, RefusesNumbersThatAreNotFinite) {
  writeNpy<float>(folder / "item/size.npy", std::vector<float>{0, 1, NAN, 3}, {4, 1});
  EXPECT_EQ(refusal(), "item/size.npy: row 2: nan is not a finite number");
  writeNpy<float>(folder / "item/size.npy", std::vector<float>{0, 1, 2, INFINITY}, {4, 1});
  EXPECT_EQ(refusal(), "item/size.npy: row 3: inf is not a finite number");
}

TEST_F(DatasetTest, RefusesWrongPairs) {
  rewrite<int32_t>("pairs/train.query.npy", {0, 1, 2, 4, 0});
  EXPECT_EQ(refusal(), "pairs/train.query.npy: row 3: 4 is not in [0, 4), the rows of entity 'item'");
  rewrite<int32_t>("pairs/train.query.npy", {0, 1, 2, 3, 0});
  rewrite<int32_t>("pairs/test.item.npy", {-5});
  EXPECT_THAT(refusal(), HasSubstr("pairs/test.item.npy: row 0: -5"));
  rewrite<int32_t>("pairs/test.item.npy", {0});
  rewrite<float>("pairs/train.weight.npy", {1, 2, -3, 4, 5});
  EXPECT_THAT(refusal(), HasSubstr("pairs/train.weight.npy: row 2: the weight -3"));
}

TEST_F(DatasetTest, RefusesAnotherNumberOfKeys) {
  writeText(folder / "item/keys.txt", "a\nb\nc\n");
  EXPECT_EQ(refusal(), "item/keys.txt: has 3 lines, but schema.json says 4");
}

TEST_F(DatasetTest, IsStampedAndNotReadAgain) {
  // A file that changed a moment before it was stamped would be read again.
  for (const auto &entry : std::filesystem::recursive_directory_iterator(folder.path()))
    if (entry.is_regular_file())
      std::filesystem::last_write_time(entry, entry.last_write_time() - std::chrono::seconds(1));
  std::string print = Dataset(folder.path()).fingerprint();
  EXPECT_EQ(print.size(), 16u);
  ASSERT_TRUE(std::filesystem::exists(folder / ".stamp.json"));
  // Only a reader of contents can see this change: size and time are as before.
  auto time = std::filesystem::last_write_time(folder / "item/color.npy");
  rewrite<int32_t>("item/color.npy", {1, 2, 9, 1});
  std::filesystem::last_write_time(folder / "item/color.npy", time);
  EXPECT_EQ(Dataset(folder.path()).fingerprint(), print);
  EXPECT_THAT(messageOf([&] { Dataset(folder.path(), true); }), HasSubstr("item/color.npy: row 2: 9"));
  // A new time is enough to have it read.
  std::filesystem::last_write_time(folder / "item/color.npy", time + std::chrono::seconds(1));
  EXPECT_THAT(refusal(), HasSubstr("item/color.npy: row 2: 9"));
}

TEST_F(DatasetTest, ADamagedStampIsIgnored) {
  std::string print = Dataset(folder.path()).fingerprint();
  for (const char *text : {"", "{}", "[1]", "{\"version\": 1, \"files\": {\"schema.json\": 3}}"}) {
    writeText(folder / ".stamp.json", text);
    EXPECT_EQ(Dataset(folder.path()).fingerprint(), print);
  }
}

TEST_F(DatasetTest, TheFingerprintIsOfTheContents) {
  std::string print = Dataset(folder.path()).fingerprint();
  rewrite<int32_t>("item/color.npy", {1, 2, 1, 1});
  EXPECT_NE(Dataset(folder.path()).fingerprint(), print);
  rewrite<int32_t>("item/color.npy", {1, 2, 0, 1});
  EXPECT_EQ(Dataset(folder.path()).fingerprint(), print);
  writeMutualInformation(folder);
  EXPECT_EQ(Dataset(folder.path()).fingerprint(), print);
}
