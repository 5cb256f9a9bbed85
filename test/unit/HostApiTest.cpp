// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The C interface, as a host program uses it.
#include "runtime/tower.h"
#include "runtime/tower_abi.h"
#include "test/unit/RuntimeFixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

using namespace tower::test;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

class HostApiTest : public testing::Test {
protected:
  HostApiTest() : text(fakeManifest().dump()), program(fakeProgram(text)) {
    writeDataset(folder);
    writeMutualInformation(folder);
    // The step adds its rate to the first parameter; the losses tell step and seed.
    fakeEntries[0] = [](const tower_call &call) {
      *static_cast<float *>(call.buffers[0]) += *static_cast<float *>(call.buffers[13]);
      *static_cast<float *>(call.buffers[14]) = static_cast<float>(*static_cast<int64_t *>(call.buffers[11]));
      *static_cast<float *>(call.buffers[15]) = static_cast<float>(*static_cast<int64_t *>(call.buffers[12]));
      *static_cast<float *>(call.buffers[16]) = 0.5f;
      return TOWER_OK;
    };
    fakeEntries[1] = [](const tower_call &call) {
      for (int i = 0; i < 6; ++i)
        static_cast<float *>(call.buffers[1])[i] = static_cast<float>(static_cast<int32_t *>(call.buffers[0])[i / 2]);
      return TOWER_OK;
    };
    fakeEntries[3] = [](const tower_call &call) {
      static_cast<float *>(call.buffers[4])[0] = static_cast<float>(call.extents[3]);
      static_cast<int32_t *>(call.buffers[5])[0] = static_cast<int32_t>(call.extents[1]);
      return TOWER_OK;
    };
    dataset = tower_dataset_open(folder.path().c_str());
    model = tower_open(&program, dataset, 1);
  }
  ~HostApiTest() override {
    tower_close(model);
    tower_dataset_close(dataset);
  }

  TemporaryFolder folder;
  std::string text;
  tower_program_v1 program;
  tower_dataset *dataset;
  tower_model *model;
};

} // namespace

TEST_F(HostApiTest, TensorsAreReadAndWritten) {
  ASSERT_NE(model, nullptr) << tower_last_error();
  EXPECT_EQ(tower_tensor_count(model), 4);
  EXPECT_STREQ(tower_tensor_name(model, 1), "table/color/adagrad");
  EXPECT_EQ(tower_tensor_name(model, 4), nullptr);
  float *values;
  int64_t count;
  ASSERT_EQ(tower_initialize(model, 1), 0);
  ASSERT_EQ(tower_tensor(model, "table/color/adagrad", &values, &count), 0);
  EXPECT_EQ(count, 6);
  EXPECT_EQ(values[5], 0.1f);
  EXPECT_EQ(tower_tensor(model, "table/hue", &values, &count), -1);
  EXPECT_STREQ(tower_last_error(), "the model has no tensor 'table/hue'");
  EXPECT_THAT(tower_manifest(model), HasSubstr("\"fake\""));
}

TEST_F(HostApiTest, AnyStepCanBeRun) {
  float losses[3] = {-1, -1, -1}, *values;
  int64_t count;
  ASSERT_EQ(tower_tensor(model, "table/color", &values, &count), 0);
  values[0] = 2;
  ASSERT_EQ(tower_train_step(model, 11, 7, 0.25f, losses, 3), 0) << tower_last_error();
  EXPECT_THAT(losses, ElementsAre(11, 7, 0.5f));
  EXPECT_EQ(values[0], 2.25f);
  float one[2] = {-1, -1};
  ASSERT_EQ(tower_train_step(model, 0, 1, 1, one, 1), 0);
  EXPECT_THAT(one, ElementsAre(0, -1));
  EXPECT_EQ(tower_steps_per_epoch(model), 2);
  EXPECT_EQ(tower_total_steps(model), 20);
  EXPECT_EQ(tower_rate(model, 3), 1);
}

TEST_F(HostApiTest, CheckpointsAreSavedAndLoaded) {
  float *values;
  int64_t count, step = 0;
  ASSERT_EQ(tower_tensor(model, "table/color", &values, &count), 0);
  values[4] = 3.5f;
  ASSERT_EQ(tower_save_checkpoint(model, (folder / "m").c_str(), 12, 1), 0);
  values[4] = 0;
  ASSERT_EQ(tower_load_checkpoint(model, (folder / "m").c_str(), &step), 0);
  EXPECT_EQ(values[4], 3.5f);
  EXPECT_EQ(step, 12);
  EXPECT_EQ(tower_load_checkpoint(model, (folder / "none").c_str(), nullptr), -1);
  EXPECT_THAT(tower_last_error(), HasSubstr("none: cannot be opened"));
}

TEST_F(HostApiTest, EmbedsAndScores) {
  EXPECT_EQ(tower_dim(model), 2);
  EXPECT_EQ(tower_rows(model, TOWER_QUERY), 4);
  const int32_t rows[] = {3, 1}, wrong[] = {0, 4};
  float out[4];
  ASSERT_EQ(tower_embed(model, TOWER_QUERY, rows, 2, out), 0) << tower_last_error();
  EXPECT_THAT(out, ElementsAre(3, 3, 1, 1));
  EXPECT_EQ(tower_embed(model, TOWER_QUERY, wrong, 2, out), -1);
  EXPECT_STREQ(tower_last_error(), "row 4 is not in [0, 4)");

  float query[] = {1, 2}, catalogue[6] = {}, score;
  int32_t best;
  const int64_t offsets[] = {0, 2};
  const int32_t excluded[] = {0, 1};
  ASSERT_EQ(tower_score(model, query, 1, catalogue, 3, offsets, excluded, 1, &score, &best), 0);
  EXPECT_EQ(score, 2);
  EXPECT_EQ(best, 3);
  ASSERT_EQ(tower_score(model, query, 1, catalogue, 3, nullptr, nullptr, 1, &score, &best), 0);
  EXPECT_EQ(score, 0);
}

TEST_F(HostApiTest, FailuresHaveMessages) {
  EXPECT_EQ(tower_dataset_open((folder / "none").c_str()), nullptr);
  EXPECT_THAT(tower_last_error(), HasSubstr("is not a dataset"));
  tower_program_v1 other = program;
  other.version = 99;
  EXPECT_EQ(tower_open(&other, dataset, 1), nullptr);
  EXPECT_THAT(tower_last_error(), HasSubstr("compile the model again"));
  EXPECT_EQ(tower_open(nullptr, dataset, 1), nullptr);
}
