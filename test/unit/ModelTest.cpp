// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A hand-written program: what its entry points receive, what is refused, and the inputs that the runtime computes.
#include "runtime/Model.h"
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

class ModelTest : public testing::Test {
protected:
  ModelTest() : json(fakeManifest()) {
    writeDataset(folder);
    data = std::make_unique<Dataset>(folder.path());
    for (auto &entry : fakeEntries)
      entry = [](const tower_call &) { return TOWER_OK; };
  }

  Model &open() {
    text = json.dump();
    program = fakeProgram(text);
    model = std::make_unique<Model>(program, *data, pool);
    return *model;
  }
  std::string refusal() {
    return messageOf([&] { open(); });
  }

  TemporaryFolder folder;
  Json json;
  std::string text;
  tower_program_v1 program{};
  Pool pool{2};
  std::unique_ptr<Dataset> data;
  std::unique_ptr<Model> model;
};

template <class T> std::span<const T> operand(const tower_call &call, size_t index, size_t count) {
  return {static_cast<const T *>(call.buffers[index]), count};
}

} // namespace

TEST_F(ModelTest, ATrainingStepReceivesItsArguments) {
  writeMutualInformation(folder);
  Model &model = open();
  model.tensors()["table/color"][3] = 42;
  int calls = 0;
  fakeEntries[0] = [&](const tower_call &call) {
    ++calls;
    EXPECT_EQ(operand<float>(call, 0, 6)[3], 42);
    EXPECT_THAT(operand<int32_t>(call, 1, 4), ElementsAre(1, 2, 0, 1));
    EXPECT_THAT(operand<int64_t>(call, 2, 5), ElementsAre(0, 2, 2, 3, 6));
    EXPECT_THAT(operand<int32_t>(call, 3, 6), ElementsAre(1, 2, 3, 2, 3, 1));
    EXPECT_THAT(operand<float>(call, 4, 4), ElementsAre(0, 1, 2, 3));
    EXPECT_THAT(operand<int32_t>(call, 5, 5), ElementsAre(0, 1, 2, 3, 0));
    EXPECT_THAT(operand<int32_t>(call, 6, 5), ElementsAre(1, 2, 1, 1, 2));
    EXPECT_THAT(operand<float>(call, 7, 5), ElementsAre(1, 2, 3, 4, 5));
    float log3 = static_cast<float>(std::log(3.0 / 5)), log2 = static_cast<float>(std::log(2.0 / 5)),
          log1 = static_cast<float>(std::log(1.0 / 5));
    EXPECT_THAT(operand<float>(call, 8, 4), ElementsAre(log1, log3, log2, log1));
    // Features are size, words, color; size-words 0.1, size-color 0.7, words-color 0.5.
    EXPECT_THAT(operand<int32_t>(call, 9, 6), ElementsAre(2, 1, 2, 0, 0, 1));
    EXPECT_EQ(operand<int64_t>(call, 10, 1)[0], 4);
    EXPECT_EQ(operand<int64_t>(call, 11, 1)[0], 7);
    EXPECT_EQ(operand<int64_t>(call, 12, 1)[0], 3);
    EXPECT_EQ(operand<float>(call, 13, 1)[0], 0.5f);
    EXPECT_THAT(std::span(call.extents, 8), ElementsAre(4, 5, 6, 4, 5, 5, 5, 4));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(call.arena) % 64, 0u);
    EXPECT_NE(call.runtime, nullptr);
    for (size_t i = 0; i < 3; ++i)
      *static_cast<float *>(call.buffers[14 + i]) = static_cast<float>(i) + 0.25f;
    static_cast<float *>(call.buffers[0])[0] = 5; // updated in place
    return TOWER_OK;
  };
  EXPECT_THAT(model.trainStep(7, 3, 0.5f), ElementsAre(0.25f, 1.25f, 2.25f));
  EXPECT_THAT(model.lossNames(), ElementsAre("loss", "loss/main", "loss/ssl"));
  EXPECT_EQ(model.tensors()["table/color"][0], 5);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(model.arenaBytes(), 128u);
}

TEST_F(ModelTest, CorrectedMutualInformationIsAChoice) {
  writeMutualInformation(folder);
  json["losses"][1]["mask"]["mi"] = "corrected";
  fakeEntries[0] = [&](const tower_call &call) {
    // size-words 0.1, size-color 0.2, words-color 0.5.
    EXPECT_THAT(operand<int32_t>(call, 9, 6), ElementsAre(2, 1, 2, 0, 1, 0));
    return TOWER_OK;
  };
  open().trainStep(0, 1, 1);
}

TEST_F(ModelTest, MaskingNeedsMutualInformationOfItsFeatures) {
  EXPECT_THAT(messageOf([&] { open().trainStep(0, 1, 1); }), HasSubstr("run `towerc data mi "));
  writeText(folder / "item/mi.json",
            R"({"features": ["color"], "plugin": [[1]], "shuffled": [[1]], "corrected": [[1]]})");
  EXPECT_THAT(messageOf([&] { open().trainStep(0, 1, 1); }), HasSubstr("item/mi.json: has no feature 'size'"));
}

TEST_F(ModelTest, TrainingPairsMayBeASubset) {
  writeMutualInformation(folder);
  Model &model = open();
  EXPECT_EQ(model.stepsPerEpoch(), 2);
  EXPECT_EQ(model.totalSteps(), 20);
  EXPECT_EQ(model.totalSteps(3), 6);
  model.trainStep(0, 1, 1);
  std::vector<int32_t> query = {3, 1}, item = {0, 0};
  std::vector<float> weight = {1, 1};
  Pairs few{"train", query, item, weight, {}};
  model.setTrainingPairs(few);
  EXPECT_EQ(model.stepsPerEpoch(), 1);
  fakeEntries[0] = [&](const tower_call &call) {
    EXPECT_THAT(operand<int32_t>(call, 5, 2), ElementsAre(3, 1));
    EXPECT_EQ(operand<float>(call, 8, 1)[0], 0);
    EXPECT_EQ(call.extents[4], 2);
    return TOWER_OK;
  };
  model.trainStep(0, 1, 1);
  few.weight = {};
  EXPECT_THAT(messageOf([&] { model.setTrainingPairs(few); }), HasSubstr("the training pairs have no weights"));
  few.query = few.query.first(1);
  EXPECT_THAT(messageOf([&] { model.setTrainingPairs(few); }),
              HasSubstr("has 1 training pairs, fewer than a batch of 2"));
}

TEST_F(ModelTest, EmbedsInBatchesOfFixedSize) {
  std::vector<std::vector<int32_t>> batches;
  fakeEntries[2] = [&](const tower_call &call) {
    batches.emplace_back(operand<int32_t>(call, 0, 3).begin(), operand<int32_t>(call, 0, 3).end());
    for (size_t i = 0; i < 6; ++i)
      static_cast<float *>(call.buffers[1])[i] = static_cast<float>(10 * operand<int32_t>(call, 0, 3)[i / 2] + i % 2);
    return TOWER_OK;
  };
  Model &model = open();
  EXPECT_THAT(model.embedAll(Side::Item), ElementsAre(0, 1, 10, 11, 20, 21, 30, 31));
  EXPECT_THAT(batches, ElementsAre(ElementsAre(0, 1, 2), ElementsAre(3, 3, 3)));
}

TEST_F(ModelTest, ScoresWithRunTimeExtents) {
  fakeEntries[3] = [&](const tower_call &call) {
    EXPECT_THAT(std::span(call.extents, 8), ElementsAre(2, 4, 3, 3, 2, 3, 2, 3));
    EXPECT_THAT(operand<float>(call, 0, 4), ElementsAre(1, 2, 3, 4));
    EXPECT_THAT(operand<int64_t>(call, 2, 3), ElementsAre(0, 2, 3));
    EXPECT_THAT(operand<int32_t>(call, 3, 3), ElementsAre(0, 3, 1));
    for (size_t operand : {0u, 1u, 2u, 3u, 4u, 5u})
      EXPECT_EQ(reinterpret_cast<uintptr_t>(call.buffers[operand]) % 64, 0u) << operand;
    for (int i = 0; i < 6; ++i) {
      static_cast<float *>(call.buffers[4])[i] = static_cast<float>(-i);
      static_cast<int32_t *>(call.buffers[5])[i] = i - 1;
    }
    return TOWER_OK;
  };
  std::vector<float> queries = {0, 1, 2, 3, 4}, catalogue(8);
  Excluded excluded;
  excluded.add({3, 0, 3});
  excluded.add({1});
  std::vector<float> scores(6);
  std::vector<int32_t> rows(6);
  open().score(std::span(queries).subspan(1), catalogue, excluded, 3, scores, rows);
  EXPECT_THAT(scores, ElementsAre(0, -1, -2, -3, -4, -5));
  EXPECT_THAT(rows, ElementsAre(-1, 0, 1, 2, 3, 4));
}

TEST_F(ModelTest, AStatusBecomesAMessage) {
  writeMutualInformation(folder);
  fakeEntries[0] = [](const tower_call &) { return TOWER_ID_OUT_OF_RANGE; };
  EXPECT_THAT(messageOf([&] { open().trainStep(0, 1, 1); }),
              HasSubstr("holds an id beyond the capacity of its table; compile the model for this data: towerc "
                        "model.txtpb --data " +
                        folder.path() + " -o fake"));
  fakeEntries[0] = [](const tower_call &) { return 77; };
  EXPECT_THAT(messageOf([&] { open().trainStep(0, 1, 1); }), HasSubstr("'train_step' failed with status 77"));
}

TEST_F(ModelTest, TheCodeOfTheChosenProcessorRuns) {
  json["targets"] = {{{"cpu", "oracle"}, {"features", {"telepathy"}}},
                     {{"cpu", "generic"}, {"features", Json::array()}}};
  text = json.dump();
  program = fakeProgram(text);
  std::vector<tower_entry> entries(4, [](const tower_call *) -> int32_t { return 77; });
  entries.insert(entries.end(), program.entries, program.entries + 4);
  program.entries = entries.data();
  program.num_entries = 8;
  Model both(program, *data, pool);
  EXPECT_EQ(both.where().name(), "generic");
  std::vector<int32_t> rows = {0, 1, 2};
  std::vector<float> out(6);
  EXPECT_EQ(messageOf([&] { both.embed(Side::Query, rows, out); }), "");
  json["targets"] = Json::array();
  EXPECT_EQ(refusal(), "the program's manifest: targets: is empty");
}

TEST_F(ModelTest, RefusesOtherPrograms) {
  open();
  tower_program_v1 other = program;
  other.magic = 1;
  EXPECT_THAT(messageOf([&] { readManifest(other); }), HasSubstr("not a program that towerc compiled"));
  other = program;
  other.version = 99;
  EXPECT_THAT(messageOf([&] { readManifest(other); }), HasSubstr("for version 99 of the runtime's interface"));
  other = program;
  other.num_entries = 3;
  EXPECT_THAT(messageOf([&] { readManifest(other); }), HasSubstr("has 3 entry points, but its manifest lists 4"));
  other = program;
  other.manifest_bytes = 20;
  EXPECT_THAT(messageOf([&] { readManifest(other); }), HasSubstr("the program's manifest: is not JSON"));
  json["tensors"][0]["init"]["kind"] = "orthogonal";
  EXPECT_EQ(refusal(), "the program's manifest: tensors[0].init.kind: 'orthogonal' is unknown to this runtime");
  json = fakeManifest();
  json["tensors"][1]["offset"] = 250;
  EXPECT_THAT(refusal(), HasSubstr("tensors[1].offset: does not lie in the block of 256 bytes"));
  json = fakeManifest();
  json.erase("dim");
  EXPECT_EQ(refusal(), "the program's manifest: dim: is missing");
}

TEST_F(ModelTest, RefusesDataThatDoesNotFit) {
  std::string command = "; compile the model for this data: towerc model.txtpb --data " + folder.path() + " -o fake";
  json["columns"][0]["rows"] = 2;
  EXPECT_EQ(refusal(), folder.path() +
                           ": column 'color' has vocabulary rows: 3, but the model was compiled for at most 2" +
                           command);
  json["columns"][0]["rows"] = 100; // slack is allowed
  EXPECT_EQ(refusal(), "");
  json["columns"][1]["longest"] = 2;
  EXPECT_THAT(refusal(), HasSubstr("column 'words' has a longest row of 3, but the model was compiled for at most 2"));
  json["columns"][1]["longest"] = 3;
  json["columns"][2]["width"] = 4;
  EXPECT_THAT(refusal(), HasSubstr("column 'size' has width 1, but the model was compiled for 4"));
  json["columns"][2] = {{"entity", "item"}, {"column", "size"}, {"kind", "single"}, {"rows", 5}};
  EXPECT_THAT(refusal(), HasSubstr("column 'size' of entity 'item' is dense, but the model was compiled for single"));
  json["columns"][2]["column"] = "price";
  EXPECT_THAT(refusal(), HasSubstr("entity 'item' has no column 'price', which the model reads" + command));
  json = fakeManifest();
  json["query"]["entity"] = "user";
  EXPECT_THAT(refusal(), HasSubstr("queries are rows of entity 'item', but the model was compiled for 'user'"));
}

TEST(RateFactor, WarmsUpAndDecays) {
  TrainingInfo training;
  EXPECT_EQ(rateFactor(training, 0, 10), 1);
  EXPECT_EQ(rateFactor(training, 999, 10), 1);
  training.warmupSteps = 4;
  training.finalFraction = 0.2;
  EXPECT_EQ(rateFactor(training, 0, 15), 0.25f);
  EXPECT_EQ(rateFactor(training, 3, 15), 1);
  training.decay = "linear";
  EXPECT_EQ(rateFactor(training, 4, 15), 1);
  EXPECT_FLOAT_EQ(rateFactor(training, 9, 15), 0.6f);
  EXPECT_FLOAT_EQ(rateFactor(training, 14, 15), 0.2f);
  EXPECT_FLOAT_EQ(rateFactor(training, 20, 15), 0.2f);
  training.decay = "cosine";
  EXPECT_EQ(rateFactor(training, 4, 15), 1);
  EXPECT_FLOAT_EQ(rateFactor(training, 9, 15), 0.6f);
  EXPECT_FLOAT_EQ(rateFactor(training, 14, 15), 0.2f);
  EXPECT_GT(rateFactor(training, 6, 15), 0.9f);
}
