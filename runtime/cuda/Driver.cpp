// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Finding the driver, and what its failures mean to a user.
#include "runtime/cuda/Driver.h"

#include <cstdlib>

#include <dlfcn.h>

namespace tower::rt::cuda {

namespace {
constexpr int oldest = 12000; // 1000 x major + 10 x minor, as the driver counts

std::string shownVersion(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

/// Of an error after which the process cannot use the device.
bool isLasting(Result result) {
  switch (static_cast<int>(result)) {
  case 4:                // the driver was shut down
  case 46:               // the device is unavailable
  case EccUncorrectable: // and what else hardware may say
  case 220:              // NVLink
  case 226:              // contained
  case IllegalAddress:
  case 702: // it took too long
  case 709: // the context is destroyed
  case 710: // an assertion of a kernel
  case 714: // stack
  case 715: // instruction
  case 716: // misaligned
  case 717: // address space
  case 718: // program counter
  case LaunchFailed:
  case Unknown:
    return true;
  default:
    return false;
  }
}

const char *advice(Result result) {
  if (isLasting(result))
    return "this process can no longer use the GPU. The last checkpoint is whole: go on from it with --resume, with "
           "--device=cpu if it happens again";
  switch (result) {
  case NoDevice:
  case InvalidDevice:
    return "nvidia-smi lists this machine's GPUs, CUDA_VISIBLE_DEVICES may hide them; --device=cpu runs without one";
  case NoBinary:
  case InvalidPtx:
  case UnsupportedPtx:
    return "update the driver, or run with --device=cpu";
  case OutOfMemory:
    return "end other programs on this GPU, lower training.batch in the spec, or run with --device=cpu";
  default:
    return "--device=cpu runs without a GPU";
  }
}
} // namespace

Driver::Driver() {
  const char *wanted = std::getenv("TOWER_CUDA_DRIVER");
  path = wanted ? wanted : "libcuda.so.1";
  library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *reason = ::dlerror();
    throw Error("there is no NVIDIA driver: cannot open '" + path + "' (" + (reason ? reason : "unknown reason") +
                "); install the driver, or run with --device=cpu");
  }
  try {
    find();
    check(init(0), "start the NVIDIA driver");
    int version = 0;
    check(driverGetVersion(&version), "ask for the NVIDIA driver's version");
    if (version < oldest)
      throw Error("the NVIDIA driver is of CUDA " + shownVersion(version) + ", but " + shownVersion(oldest) +
                  " is needed: update it, or run with --device=cpu");
  } catch (...) {
    ::dlclose(library);
    throw;
  }
}

Driver::~Driver() { ::dlclose(library); }

void Driver::find() {
  auto symbol = [&](auto &function, const char *name) {
    void *address = ::dlsym(library, name);
    if (!address)
      throw Error("the NVIDIA driver '" + path + "' has no function " + name +
                  ": it is too old; update it to one of CUDA " + shownVersion(oldest) +
                  " or later, or run with --device=cpu");
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(address);
  };
#define TOWER_FIND(name, wanted, parameters) symbol(name, #wanted);
  TOWER_CUDA_FUNCTIONS(TOWER_FIND)
#undef TOWER_FIND
}

void Driver::fail(Result result, const std::string &attempt) const {
  const char *name = nullptr, *text = nullptr;
  getErrorName(result, &name);
  getErrorString(result, &text);
  throw Error("cannot " + attempt + ": " + (name ? name : "error " + std::to_string(result)) + " (" +
              (text ? text : "unknown to this driver") + "); " + advice(result));
}

} // namespace tower::rt::cuda
