// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/cuda/Device.h"

#include <array>
#include <limits>

namespace tower::rt::cuda {

namespace {
std::string architectures(std::span<const tower_image> images) {
  std::string text;
  for (const tower_image &image : images)
    text += (text.empty() ? "" : ", ") + (image.sm ? "sm_" + std::to_string(image.sm) : std::string("PTX"));
  return text;
}

/// The best of what runs on `architecture`: code for one of the same generation that is not newer, else PTX.
const tower_image *choose(std::span<const tower_image> images, int architecture) {
  const tower_image *best = nullptr;
  for (const tower_image &image : images)
    if ((image.sm == 0 || (image.sm / 10 == architecture / 10 && image.sm <= architecture)) &&
        (!best || image.sm > best->sm))
      best = &image;
  return best;
}
} // namespace

Device::Device(const Driver &driver, int number, std::span<const tower_image> images) : functions(driver) {
  int count = 0;
  driver.check(driver.deviceGetCount(&count), "list GPUs");
  if (number >= count)
    driver.fail(count ? InvalidDevice : NoDevice, "use GPU " + std::to_string(number) + " of " + std::to_string(count));
  driver.check(driver.deviceGet(&ordinal, number), "find the GPU");
  char text[128] = "";
  int major = 0, minor = 0;
  driver.check(driver.deviceGetName(text, sizeof text - 1, ordinal), "ask for the GPU's name");
  driver.check(driver.deviceGetAttribute(&major, majorAttribute, ordinal), "ask for the GPU's architecture");
  driver.check(driver.deviceGetAttribute(&minor, minorAttribute, ordinal), "ask for the GPU's architecture");
  architecture = 10 * major + minor;
  title = std::string(text) + " (cuda:" + std::to_string(number) + ", sm_" + std::to_string(architecture) + ")";
  Context context = nullptr;
  driver.check(driver.contextRetain(&context, ordinal), "use the GPU");
  try {
    driver.check(driver.contextSetCurrent(context), "use the GPU");
    Stream stream = nullptr;
    driver.check(driver.streamCreate(&stream, ownStream), "make a stream");
    queue = {stream, driver.streamDestroy};
    load(images);
  } catch (...) {
    module = {};
    queue = {};
    driver.contextRelease(ordinal);
    throw;
  }
}

Device::~Device() {
  module = {};
  queue = {};
  functions.contextRelease(ordinal);
}

void Device::load(std::span<const tower_image> images) {
  const tower_image *image = choose(images, architecture);
  if (!image)
    throw Error("the program has kernels for " + architectures(images) + ", but none for " + title +
                "; compile the model again with towerc, or run with --device=cpu");
  std::array<char, 2048> log{};
  const int options[] = {logBuffer, logBufferBytes};
  void *values[] = {log.data(), reinterpret_cast<void *>(log.size() - 1)};
  Module loaded = nullptr;
  Result result = functions.moduleLoad(&loaded, image->data, 2, options, values);
  if (result != Success) {
    std::string said = log.data();
    functions.fail(result, "load the program's kernels (" + architectures({image, 1}) + ") on " + title +
                               (said.empty() ? "" : ", '" + said + "'"));
  }
  module = {loaded, functions.moduleUnload};
}

DeviceMemory Device::allocate(size_t bytes) const {
  Address address = 0;
  Result result = functions.memAlloc(&address, bytes ? bytes : 1);
  if (result == OutOfMemory) {
    size_t free = 0, total = 0;
    functions.memGetInfo(&free, &total);
    functions.fail(result, "allocate " + std::to_string(bytes) + " bytes on " + title + ", of whose " +
                               std::to_string(total) + " bytes " + std::to_string(free) + " are free");
  }
  functions.check(result, "allocate memory of the GPU");
  return {{address, functions.memFree}, bytes};
}

bool Device::hasRoom(size_t bytes) const {
  size_t free = 0, total = 0;
  functions.check(functions.memGetInfo(&free, &total), "ask for the GPU's memory");
  return free >= total / 16 && bytes <= free - total / 16;
}

PinnedMemory Device::allocatePinned(size_t bytes) const {
  void *address = nullptr;
  Result result = functions.memHostAlloc(&address, bytes ? bytes : 1, 0);
  if (result != Success)
    functions.fail(result, "pin " + std::to_string(bytes) + " bytes of the host's memory");
  return {{address, functions.memFreeHost}, bytes};
}

void Device::upload(Address device, const void *host, size_t bytes) const {
  if (bytes)
    functions.check(functions.copyToDevice(device, host, bytes, stream()), "copy to the GPU");
}

void Device::download(void *host, Address device, size_t bytes) const {
  if (bytes)
    functions.check(functions.copyToHost(host, device, bytes, stream()), "copy from the GPU");
}

void Device::synchronize() const {
  functions.check(functions.streamSynchronize(stream()), "finish what the GPU was asked for");
}

Function Device::find(const tower_kernel &kernel) {
  auto [found, isNew] = kernels.try_emplace(&kernel);
  if (isNew) {
    Result result = functions.moduleGetFunction(&found->second, module.get(), kernel.name);
    if (result != Success) {
      kernels.erase(found);
      functions.fail(result, std::string("find the kernel '") + kernel.name + "'");
    }
  }
  return found->second;
}

void Device::launch(const tower_kernel &kernel, int64_t blocks, int64_t warps, void *const *arguments) {
  if (blocks == 0)
    return; // what a CPU's loop over nothing is
  Function function = find(kernel);
  // A kernel's message names it: there are dozens.
  Result result =
      blocks > std::numeric_limits<int32_t>::max() || warps > 32
          ? Result(1)
          : functions.launchKernel(function, static_cast<unsigned>(blocks), 1, 1, 32, static_cast<unsigned>(warps), 1,
                                   0, stream(), const_cast<void **>(arguments), nullptr);
  if (result != Success)
    functions.fail(result, std::string("launch the kernel '") + kernel.name + "' with " + std::to_string(blocks) +
                               " blocks of " + std::to_string(warps) + " warps");
}

} // namespace tower::rt::cuda
