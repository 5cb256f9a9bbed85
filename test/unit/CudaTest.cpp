// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The runtime on a GPU, with a simulated driver (test/gpu/driver) and kernels written by hand (AddKernels.cpp).
#include "runtime/Model.h"
#include "runtime/cuda/DevicePlace.h"
#include "test/unit/RuntimeFixture.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

using namespace tower;
using namespace tower::rt;
using namespace tower::test;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

constexpr char ptx[] = ".version 7.0\n.visible .entry add(\n.visible .entry write(\n";
constexpr char code[] = "\x7f"
                        "ELF";
const tower_image anyGpu{0, 0, ptx, sizeof ptx};
const tower_kernel add{"add", nullptr}, writeOne{"write", nullptr}, unknown{"multiply", nullptr};

class CudaTest : public testing::Test {
protected:
  void SetUp() override {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    ::setenv("TOWER_CUDA_DRIVER", SIMULATED_DRIVER, 1);
    ::setenv("TOWER_SIMULATED_KERNELS", ADD_KERNELS, 1);
    fault("none");
  }
  static void fault(const char *text) { ::setenv("TOWER_SIMULATED_FAULT", text, 1); }

  static void launchAdd(cuda::Device &device, cuda::Address to, int64_t amount, int64_t count) {
    void *arguments[] = {&to, &amount, &count};
    device.launch(add, (count + 31) / 32, 1, arguments);
  }
};

TEST_F(CudaTest, WhatItIsToldHappensInOrder) {
  cuda::Driver driver;
  cuda::Device device(driver, 0, {&anyGpu, 1});
  EXPECT_EQ(device.name(), "simulated GPU (cuda:0, sm_90)");
  std::vector<float> values(70, 1), found(70);
  cuda::DeviceMemory memory = device.allocate(values.size() * sizeof(float));
  device.upload(memory.address(), values.data(), memory.bytes);
  launchAdd(device, memory.address(), 2, 70);
  launchAdd(device, memory.address(), 3, 35);
  launchAdd(device, memory.address(), 3, 0); // of no rows
  device.download(found.data(), memory.address(), memory.bytes);
  EXPECT_EQ(found[0], 0) << "nobody has waited";
  device.synchronize();
  for (size_t i = 0; i < found.size(); ++i)
    EXPECT_EQ(found[i], i < 35 ? 6 : 3) << i;
}

TEST_F(CudaTest, CodeForTheArchitectureGoesBeforePtx) {
  cuda::Driver driver;
  // The simulated driver does not read the code's kernels, but PTX without a version is refused.
  tower_image images[] = {{0, 0, "nonsense", 9}, {80, 0, code, 4}, {90, 0, code, 4}, {100, 0, code, 4}};
  cuda::Device(driver, 0, images);
  EXPECT_THAT(messageOf([&] {
                cuda::Device(driver, 0, {images, 2});
              }),
              HasSubstr("cannot load the program's kernels (PTX) on simulated GPU (cuda:0, sm_90), 'line 1: no "
                        ".version': CUDA_ERROR_INVALID_PTX"));
  EXPECT_THAT(messageOf([&] {
                cuda::Device(driver, 0, {images + 1, 1});
              }),
              HasSubstr("the program has kernels for sm_80, but none for simulated GPU (cuda:0, sm_90)"));
  EXPECT_THAT(messageOf([&] { cuda::Device(driver, 1, images); }), HasSubstr("cannot use GPU 1 of 1"));
}

TEST_F(CudaTest, AMissingOrUnfitDriverIsNamed) {
  ::setenv("TOWER_CUDA_DRIVER", "/nowhere/libcuda.so.1", 1);
  EXPECT_THAT(messageOf([] { cuda::Driver(); }),
              HasSubstr("there is no NVIDIA driver: cannot open '/nowhere/libcuda.so.1' ("));
  // A library, but none of a driver.
  ::setenv("TOWER_CUDA_DRIVER", "libm.so.6", 1);
  EXPECT_THAT(messageOf([] { cuda::Driver(); }), HasSubstr("has no function cuInit: it is too old; update it"));
  ::setenv("TOWER_CUDA_DRIVER", SIMULATED_DRIVER, 1);
  fault("old-driver");
  EXPECT_THAT(messageOf([] { cuda::Driver(); }), HasSubstr("the NVIDIA driver is of CUDA 11.4, but 12.0 is needed"));
  fault("no-device");
  EXPECT_THAT(messageOf([] { cuda::Driver(); }),
              HasSubstr("cannot start the NVIDIA driver: CUDA_ERROR_NO_DEVICE (of a simulated GPU); nvidia-smi lists"));
}

TEST_F(CudaTest, FailuresSayWhatWasTried) {
  fault("alloc:2");
  cuda::Driver driver;
  cuda::Device device(driver, 0, {&anyGpu, 1});
  cuda::DeviceMemory memory = device.allocate(1000);
  EXPECT_THAT(messageOf([&] { device.allocate(5000); }),
              HasSubstr("cannot allocate 5000 bytes on simulated GPU (cuda:0, sm_90), of whose 1073741824 bytes "
                        "1073740824 are free: CUDA_ERROR_OUT_OF_MEMORY"));
  void *none[] = {nullptr};
  EXPECT_THAT(messageOf([&] { device.launch(unknown, 1, 1, none); }),
              HasSubstr("cannot find the kernel 'multiply': CUDA_ERROR_NOT_FOUND"));
  EXPECT_THAT(messageOf([&] { device.launch(add, int64_t(1) << 40, 1, none); }),
              HasSubstr("cannot launch the kernel 'add' with 1099511627776 blocks of 1 warps: error 1 (unknown to"));
}

TEST_F(CudaTest, ABrokenDeviceSaysHowToGoOn) {
  fault("sticky:2");
  cuda::Driver driver;
  cuda::Device device(driver, 0, {&anyGpu, 1});
  cuda::DeviceMemory memory = device.allocate(128);
  launchAdd(device, memory.address(), 1, 32);
  device.synchronize();
  launchAdd(device, memory.address(), 1, 32);
  EXPECT_THAT(
      messageOf([&] { device.synchronize(); }),
      HasSubstr("cannot finish what the GPU was asked for: CUDA_ERROR_ILLEGAL_ADDRESS (of a simulated GPU); this "
                "process can no longer use the GPU. The last checkpoint is whole: go on from it with --resume"));
  EXPECT_THAT(messageOf([&] { device.allocate(1); }), HasSubstr("CUDA_ERROR_ILLEGAL_ADDRESS"));
}

TEST_F(CudaTest, TheSimulatedDeviceSeesWritesOutOfBounds) {
  EXPECT_DEATH(
      {
        cuda::Driver driver;
        cuda::Device device(driver, 0, {&anyGpu, 1});
        cuda::DeviceMemory memory = device.allocate(40 * sizeof(float));
        launchAdd(device, memory.address(), 1, 41);
        device.synchronize();
      },
      "an allocation of 160 bytes was written 160 bytes from its start, seen at a synchronization");
  EXPECT_DEATH(
      {
        cuda::Driver driver;
        cuda::Device device(driver, 0, {&anyGpu, 1});
        cuda::DeviceMemory memory = device.allocate(8);
        device.upload(memory.address() + 4, "12345678", 8);
      },
      "a copy to the device of 8 bytes at 0x[0-9a-f]+ does not lie in an allocation");
}

/// Entries over the kernels above, for the model of RuntimeFixture.h on a GPU.
int32_t step(const tower_call *call) {
  auto *table = static_cast<float *>(call->buffers[0]);
  auto *losses = call->buffers + 14;
  int64_t *stepValue = static_cast<int64_t *>(call->buffers[11]);
  // Of what is uploaded one half is staged, the other the caller's.
  auto *arena = static_cast<float *>(call->arena);
  auto *staged = static_cast<float *>(tower_rt_stage(call->runtime, 4));
  *staged = static_cast<float>(*stepValue);
  tower_rt_upload(call->runtime, arena, staged, 4);
  tower_rt_upload(call->runtime, arena + 1, call->buffers[13], 4);
  auto *rate = arena + 1;
  int64_t one = 1, count = 6, zero = 0;
  void *adding[] = {&table, &one, &count};
  tower_rt_launch(call->runtime, &add, 1, 1, adding, 3);
  void *const sources[] = {arena, table, rate};
  for (int i = 0; i < 3; ++i) {
    void *writing[] = {const_cast<void **>(&losses[i]), &zero, const_cast<void **>(&sources[i])};
    tower_rt_launch(call->runtime, &writeOne, 1, 1, writing, 3);
  }
  return TOWER_OK;
}

int32_t embedRows(const tower_call *call) {
  int64_t one = 1, zero = 0, count = 6;
  void *copying[] = {const_cast<void **>(&call->buffers[1]), &zero, const_cast<void **>(&call->buffers[0])};
  tower_rt_launch(call->runtime, &writeOne, 1, 1, copying, 3);
  void *adding[] = {const_cast<void **>(&call->buffers[1]), &one, &count};
  tower_rt_launch(call->runtime, &add, 1, 1, adding, 3);
  return TOWER_OK;
}

/// A step whose loss is the second row's number of the column `size`.
int32_t secondSize(const tower_call *call) {
  int64_t zero = 0;
  float *second = static_cast<float *>(call->buffers[4]) + 1;
  void *writing[] = {const_cast<void **>(&call->buffers[14]), &zero, &second};
  tower_rt_launch(call->runtime, &writeOne, 1, 1, writing, 3);
  return TOWER_OK;
}

const tower_entry onHostAndGpu[] = {nullptr, nullptr, nullptr, nullptr, step, embedRows, embedRows, nullptr};

class CudaModelTest : public CudaTest {
protected:
  void SetUp() override {
    CudaTest::SetUp();
    writeDataset(folder);
    writeMutualInformation(folder);
    Json manifest = fakeManifest();
    manifest["cuda"]["arena_bytes"] = {{"train_step", 128}, {"embed_queries", 0}, {"embed_items", 0}, {"score", 0}};
    text = manifest.dump();
    program = {TOWER_ABI_MAGIC, TOWER_ABI_VERSION,
               text.c_str(),    static_cast<int64_t>(text.size()),
               onHostAndGpu,    8,
               &anyGpu,         1};
  }
  std::unique_ptr<Place> open(const std::string &device) {
    return openPlace(program, readManifest(program), device, pool, notes);
  }

  TemporaryFolder folder;
  std::string text;
  tower_program_v1 program;
  Pool pool{1};
  std::ostringstream notes;
};

TEST_F(CudaModelTest, StepsRunInOrderAndTwoAtATime) {
  Dataset data(folder.path());
  Model model(program, data, pool, open("auto"));
  EXPECT_EQ(model.where().name(), "simulated GPU (cuda:0, sm_90)");
  model.initialize(1);
  float first = model.tensors()["table/color"][0], element = first;
  auto expect = [&](int64_t step, std::span<const float> losses) {
    element += 1;
    EXPECT_THAT(losses, ElementsAre(static_cast<float>(step), element, 2 * static_cast<float>(step))) << step;
  };
  // The first directly, the next two record a graph each, the others are launches.
  for (int64_t step = 0; step < 6; ++step)
    expect(step, model.trainStep(step, 1, 2 * static_cast<float>(step)));
  model.startStep(6, 1, 12);
  for (int64_t step = 6; step < 20; ++step) {
    model.startStep(step + 1, 1, 2 * static_cast<float>(step + 1));
    expect(step, model.finishStep());
  }
  expect(20, model.finishStep());
  EXPECT_EQ(model.tensors()["table/color"][0], element);
  // What the host writes reaches the device, and the graphs do not mind.
  model.initialize(1);
  element = first;
  expect(0, model.trainStep(0, 1, 0));
  Buffer<float> out(2);
  std::vector<int32_t> rows{2};
  model.embed(Side::Item, rows, out);
  EXPECT_EQ(out[0], 1); // the row's number, 2, is nearly nothing when its bits are a float's
}

TEST_F(CudaModelTest, DataThatDoesNotFitIsReadFromTheHost) {
  const tower_entry sizes[] = {nullptr, nullptr, nullptr, nullptr, secondSize, embedRows, embedRows, nullptr};
  program.entries = sizes;
  auto found = [&] {
    Dataset data(folder.path());
    Model model(program, data, pool, open("cuda"));
    model.initialize(1);
    return model.trainStep(0, 1, 1)[0];
  };
  float size = found();
  EXPECT_NE(size, 0);
  EXPECT_EQ(notes.str(), "");
  // Tensors have 256 bytes, the arena 128, the losses 12.
  ::setenv("TOWER_SIMULATED_MEMORY", "408", 1);
  EXPECT_EQ(found(), size);
  ::unsetenv("TOWER_SIMULATED_MEMORY");
  EXPECT_THAT(notes.str(), HasSubstr("note: the data does not fit on simulated GPU"));
}

TEST_F(CudaModelTest, EachKernelsTimeIsWritten) {
  std::string path = folder.path() + "/times.json";
  ::setenv("TOWER_DEVICE_TIMES", path.c_str(), 1);
  {
    Dataset data(folder.path());
    Model model(program, data, pool, open("cuda"));
    ::unsetenv("TOWER_DEVICE_TIMES");
    model.initialize(1);
    for (int64_t step = 0; step < 4; ++step)
      EXPECT_EQ(model.trainStep(step, 1, 1)[0], static_cast<float>(step));
  }
  std::ifstream file(path);
  // Without the first step, whose kernels had to be loaded.
  EXPECT_EQ(Json::parse(file), Json::parse(R"({"steps": 3, "kernels": [
    {"kernel": "add", "launches": 3, "milliseconds": 3}, {"kernel": "write", "launches": 9, "milliseconds": 9}]})"));
}

TEST_F(CudaModelTest, TheWishIsFollowedOrRefused) {
  EXPECT_EQ(open("cpu")->name(), "generic");
  EXPECT_EQ(open("cuda:0")->name(), "simulated GPU (cuda:0, sm_90)");
  EXPECT_THAT(messageOf([&] { open("cuda:3"); }), HasSubstr("cannot use GPU 3 of 1: CUDA_ERROR_INVALID_DEVICE"));
  EXPECT_EQ(notes.str(), "");
  ::setenv("TOWER_CUDA_DRIVER", "/nowhere/libcuda.so.1", 1);
  EXPECT_EQ(open("auto")->name(), "generic");
  EXPECT_THAT(notes.str(), HasSubstr("note: running on the CPU: there is no NVIDIA driver: cannot open '/nowhere/"));
  EXPECT_THAT(messageOf([&] { open("cuda"); }), HasSubstr("there is no NVIDIA driver"));
  std::string plain = fakeManifest().dump();
  tower_program_v1 noGpu = fakeProgram(plain);
  EXPECT_THAT(messageOf([&] { openPlace(noGpu, readManifest(noGpu), "cuda", pool, notes); }),
              HasSubstr("'fake' has no code for a GPU: compile it with towerc --target=cuda or --target=both"));
  EXPECT_THAT(messageOf([&] { openPlace(noGpu, readManifest(noGpu), "tpu", pool, notes); }),
              HasSubstr("TOWER_DEVICE is 'tpu', but must be auto, cpu, cuda or cuda:N"));
}

TEST_F(CudaModelTest, AProgramForAGpuOnlySaysSo) {
  Json manifest = Json::parse(text);
  manifest["targets"] = Json::array();
  text = manifest.dump();
  program.manifest = text.c_str();
  program.manifest_bytes = static_cast<int64_t>(text.size());
  program.entries += 4;
  program.num_entries = 4;
  EXPECT_EQ(open("auto")->name(), "simulated GPU (cuda:0, sm_90)");
  EXPECT_THAT(messageOf([&] { open("cpu"); }), HasSubstr("'fake' was compiled for a GPU only: run it with --device"));
}

TEST_F(CudaModelTest, AFailedLaunchEndsTheStep) {
  for (const char *kind : {"launch:3", "launch:7", "lost:9", "alloc:3"}) {
    fault(kind);
    Dataset data(folder.path());
    Model model(program, data, pool, open("cuda"));
    model.initialize(1);
    std::string message = messageOf([&] {
      for (int64_t step = 0; step < 10; ++step)
        model.trainStep(step, 1, 1);
    });
    EXPECT_THAT(message, HasSubstr(kind[0] == 'l' && kind[1] == 'a' ? "cannot launch the kernel 'write'"
                                   : kind[0] == 'l'                 ? "CUDA_ERROR_ECC_UNCORRECTABLE"
                                                                    : "cannot allocate"))
        << kind;
  }
}

} // namespace
