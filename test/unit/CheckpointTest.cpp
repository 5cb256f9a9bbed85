// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checkpoints: a round trip, and files that are refused.
#include "runtime/Checkpoint.h"
#include "runtime/Error.h"
#include "runtime/File.h"
#include "test/unit/RuntimeFixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <numeric>

using namespace tower::rt;
using namespace tower::test;
using testing::AllOf;
using testing::Each;
using testing::HasSubstr;

namespace {

class CheckpointTest : public testing::Test {
protected:
  CheckpointTest() : manifest(parseManifest(fakeManifest().dump())), tensors(manifest), path(folder / "m.safetensors") {
    for (size_t i = 0; i < tensors.size(); ++i)
      std::iota(tensors[i].begin(), tensors[i].end(), 100.5f * static_cast<float>(i));
    info = checkpointInfo(manifest, "00000000000000cc");
    info.step = int64_t{1} << 40;
    info.seed = ~uint64_t{0};
    info.bestMetric = 0.1;
    info.extra = {{"epoch", "3"}};
    saveCheckpoint(path, tensors, info);
  }

  /// Why a file with these bytes is not loaded; checks that no tensor changed.
  std::string refusal(std::string_view bytes) {
    writeText(path, bytes);
    Tensors target(manifest);
    std::string message = messageOf([&] { loadCheckpoint(path, manifest, target); });
    for (size_t i = 0; i < target.size(); ++i)
      EXPECT_THAT(target[i], Each(0.0f));
    return message.starts_with(path + ": ") ? message.substr(path.size() + 2) : message;
  }
  /// The file with another header.
  std::string withHeader(const Json &header) {
    std::string bytes = readText(path);
    uint64_t size;
    std::memcpy(&size, bytes.data(), 8);
    std::string text = header.dump(), result(8, '\0');
    uint64_t newSize = text.size();
    std::memcpy(result.data(), &newSize, 8);
    return result + text + bytes.substr(8 + size);
  }
  Json header() {
    std::string bytes = readText(path);
    uint64_t size;
    std::memcpy(&size, bytes.data(), 8);
    return Json::parse(bytes.substr(8, size));
  }

  TemporaryFolder folder;
  Manifest manifest;
  Tensors tensors;
  std::string path;
  CheckpointInfo info;
};

} // namespace

TEST_F(CheckpointTest, GivesBackWhatItWasGiven) {
  Tensors target(manifest);
  CheckpointInfo read = loadCheckpoint(path, manifest, target);
  for (size_t i = 0; i < tensors.size(); ++i)
    EXPECT_EQ(std::memcmp(target[i].data(), tensors[i].data(), tensors[i].size_bytes()), 0);
  EXPECT_EQ(read.step, info.step);
  EXPECT_EQ(read.seed, info.seed);
  EXPECT_EQ(read.bestMetric, 0.1);
  EXPECT_EQ(read.name, "fake");
  EXPECT_EQ(read.spec, "name: \"fake\"");
  EXPECT_EQ(read.shapeHash, "00000000000000aa");
  EXPECT_EQ(read.optionsHash, "00000000000000bb");
  EXPECT_EQ(read.dataFingerprint, "00000000000000cc");
  EXPECT_EQ(read.extra, info.extra);
  EXPECT_FALSE(read.firstValues);
  EXPECT_EQ(readCheckpointInfo(path).step, info.step);
}

TEST_F(CheckpointTest, IsASafetensorsFile) {
  Json json = header();
  EXPECT_EQ(json["table/color"], (Json{{"dtype", "F32"}, {"shape", {3, 2}}, {"data_offsets", {0, 24}}}));
  EXPECT_EQ(json["table/color/adagrad"]["data_offsets"], (Json{24, 48}));
  for (const auto &[key, value] : json["__metadata__"].items())
    EXPECT_TRUE(value.is_string()) << key;
  std::string bytes = readText(path);
  uint64_t size;
  std::memcpy(&size, bytes.data(), 8);
  EXPECT_EQ(size % 8, 0u);
  EXPECT_EQ(bytes.size(), 8 + size + 56);
}

TEST_F(CheckpointTest, TheFirstOneHoldsNoTensors) {
  info.step = 0;
  saveStart(path, info);
  Json json = header();
  EXPECT_EQ(json.size(), 1u);
  EXPECT_EQ(json["__metadata__"]["seed"], "-1");
  Tensors target(manifest);
  CheckpointInfo read = loadCheckpoint(path, manifest, target);
  EXPECT_TRUE(read.firstValues);
  EXPECT_EQ(read.step, 0);
  EXPECT_EQ(read.extra, info.extra);
  for (size_t i = 0; i < target.size(); ++i)
    EXPECT_THAT(target[i], Each(0.0f));
  // Later tensors follow from no seed.
  json["__metadata__"]["step"] = "1";
  EXPECT_EQ(refusal(withHeader(json)), "table/color: is missing");
}

TEST_F(CheckpointTest, DependsOnItsArgumentsAlone) {
  saveCheckpoint(folder / "other.safetensors", tensors, info);
  EXPECT_EQ(readText(path), readText(folder / "other.safetensors"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 2) << "no temporary file is left";
}

TEST_F(CheckpointTest, EveryTruncationIsRefused) {
  std::string bytes = readText(path);
  for (size_t size = 0; size < bytes.size(); size += 7)
    ASSERT_THAT(refusal(bytes.substr(0, size)), HasSubstr("is not a complete checkpoint")) << size;
  EXPECT_THAT(refusal(bytes.substr(0, bytes.size() - 1)),
              HasSubstr("it has 55 bytes of tensors, but its header lists 56"));
  EXPECT_THAT(refusal(bytes + "x"), HasSubstr("is not a complete checkpoint"));
}

TEST_F(CheckpointTest, RefusesOtherModels) {
  Json json = header();
  json["__metadata__"]["shape_hash"] = "1234567812345678";
  json["__metadata__"]["name"] = "other";
  EXPECT_THAT(refusal(withHeader(json)),
              AllOf(HasSubstr("belongs to a model of another shape ('other', 1234567812345678)"),
                    HasSubstr("this program is 'fake', 00000000000000aa")));
}

TEST_F(CheckpointTest, RefusesOtherTensors) {
  Json json = header();
  json.erase("table/color");
  EXPECT_EQ(refusal(withHeader(json)), "table/color: is missing");
}

TEST_F(CheckpointTest, RefusesOtherShapes) {
  Json json = header();
  json["table/color"]["shape"] = {2, 3};
  EXPECT_THAT(refusal(withHeader(json)),
              HasSubstr("table/color: is F32 of shape [2, 3], but the model has F32 of shape [3, 2]"));
}

TEST_F(CheckpointTest, RefusesOtherTypesAndOffsets) {
  Json json = header();
  std::string bytes = withHeader(json);
  json["table/color"]["dtype"] = "F16";
  EXPECT_THAT(refusal(withHeader(json)), HasSubstr("table/color: is F16"));
  writeText(path, bytes);
  json["table/color"] = {{"dtype", "F32"}, {"shape", {3, 2}}, {"data_offsets", {0, 20}}};
  EXPECT_THAT(refusal(withHeader(json)), HasSubstr("table/color: is F32"));
  writeText(path, bytes);
  json["table/color"]["data_offsets"] = {24, 0};
  EXPECT_THAT(refusal(withHeader(json)), HasSubstr("impossible offsets"));
}

TEST_F(CheckpointTest, RefusesWhatIsNoCheckpoint) {
  EXPECT_THAT(refusal("step,loss\n0,1.5\n100,0.7\n"), HasSubstr("is not a complete checkpoint"));
  EXPECT_THAT(refusal(std::string("\2\0\0\0\0\0\0\0{}", 10)), HasSubstr("its header is not that of a checkpoint"));
  EXPECT_THAT(messageOf([&] { readCheckpointInfo(folder / "none"); }), HasSubstr("none: cannot be opened"));
}
