// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A CUDA driver without a GPU: the entry points that runtime/cuda/Driver.h names. A stream does what it is asked for as
// late as it may, when somebody waits, so a program that waits too little is seen. Kernels are their host forms
// (test/gpu/HostForm.h), NAME_host in the library that TOWER_SIMULATED_KERNELS names, which has each one's number of
// arguments as NAME_arguments.
//
// TOWER_SIMULATED_FAULT makes a call fail: alloc:N the N-th allocation, launch:N the N-th launch; from the N-th kernel
// on, sticky:N an illegal address, lost:N a device that is gone; old-driver, no-device. What cannot be forgiven (a
// damaged guard, a copy out of bounds, memory that is not freed, an allocation while capturing) aborts with a message.
#include "runtime/cuda/Driver.h"
#include "test/gpu/Device.h"
#include "test/gpu/driver/Memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <dlfcn.h>

namespace rtc = tower::rt::cuda;
using rtc::Result;
using tower::simulated::die;
using tower::simulated::Memory;

#define DRIVER extern "C" __attribute__((visibility("default"))) Result

namespace tower::rt::cuda {

struct FunctionOfDriver {
  std::string name;
  tower_kernel kernel;
  int64_t arguments;
};

struct ModuleOfDriver {
  std::string image; // PTX; empty for code
  void *forms = nullptr;
  std::map<std::string, std::unique_ptr<FunctionOfDriver>> functions;
};

using Work = std::function<Result()>;

struct GraphOfDriver {
  std::vector<Work> works;
};
struct ExecutableOfDriver {
  std::vector<Work> works;
};

struct StreamOfDriver {
  std::deque<Work> waiting;
  uint64_t asked = 0, done = 0;
  Graph capturing = nullptr;
};

struct EventOfDriver {
  Stream stream = nullptr;
  uint64_t at = 0; // of the stream's works
};

struct ContextOfDriver {};

} // namespace tower::rt::cuda

namespace {

struct Fault {
  std::string kind;
  int64_t number = 0;

  bool is(const char *what, int64_t count) const { return kind == what && count == number; }
};

struct State {
  Fault fault;
  Memory memory;
  int64_t allocations = 0, launches = 0, kernels = 0;
  Result broken = rtc::Success; // what every call says from now on
  bool current = false;
  int64_t captures = 0, handles = 0;
  rtc::ContextOfDriver context;
};

State *state = nullptr;

/// TOWER_SIMULATED_MEMORY: the device's, in bytes.
size_t totalMemory() {
  const char *wish = std::getenv("TOWER_SIMULATED_MEMORY");
  return wish ? std::strtoull(wish, nullptr, 10) : size_t(1) << 30;
}

/// What every entry point begins with.
#define USABLE()                                                                                                       \
  if (!state)                                                                                                          \
    return Result(3);                                                                                                  \
  if (!state->current)                                                                                                 \
    return Result(201);                                                                                                \
  if (state->broken != rtc::Success)                                                                                   \
    return state->broken;
#define NOT_WHILE_CAPTURING()                                                                                          \
  if (state->captures)                                                                                                 \
  die("%s while a stream is capturing", __func__)

Result enqueue(rtc::Stream stream, rtc::Work work) {
  if (stream->capturing) {
    stream->capturing->works.push_back(std::move(work));
  } else {
    stream->waiting.push_back(std::move(work));
    ++stream->asked;
  }
  return rtc::Success;
}

Result finish(rtc::Stream stream, uint64_t until) {
  {
    Memory::Open now(state->memory);
    while (stream->done < until && state->broken == rtc::Success) {
      rtc::Work work = std::move(stream->waiting.front());
      stream->waiting.pop_front();
      ++stream->done;
      state->broken = work();
    }
  }
  state->memory.checkGuards("at a synchronization");
  return state->broken;
}

} // namespace

DRIVER cuInit(unsigned) {
  std::unique_ptr<State>(std::exchange(state, nullptr));
  state = new State;
  if (const char *wish = std::getenv("TOWER_SIMULATED_FAULT")) {
    std::string text = wish;
    size_t colon = text.find(':');
    state->fault.kind = text.substr(0, colon);
    if (colon != std::string::npos)
      state->fault.number = std::atoll(text.c_str() + colon + 1);
  }
  return state->fault.kind == "no-device" ? rtc::NoDevice : rtc::Success;
}

DRIVER cuDriverGetVersion(int *version) {
  *version = state->fault.kind == "old-driver" ? 11040 : 12040;
  return rtc::Success;
}

DRIVER cuGetErrorName(Result result, const char **text) {
  switch (result) {
  case rtc::OutOfMemory:
    *text = "CUDA_ERROR_OUT_OF_MEMORY";
    return rtc::Success;
  case rtc::NoDevice:
    *text = "CUDA_ERROR_NO_DEVICE";
    return rtc::Success;
  case rtc::InvalidDevice:
    *text = "CUDA_ERROR_INVALID_DEVICE";
    return rtc::Success;
  case rtc::EccUncorrectable:
    *text = "CUDA_ERROR_ECC_UNCORRECTABLE";
    return rtc::Success;
  case rtc::InvalidPtx:
    *text = "CUDA_ERROR_INVALID_PTX";
    return rtc::Success;
  case rtc::NotFound:
    *text = "CUDA_ERROR_NOT_FOUND";
    return rtc::Success;
  case rtc::IllegalAddress:
    *text = "CUDA_ERROR_ILLEGAL_ADDRESS";
    return rtc::Success;
  case rtc::LaunchOutOfResources:
    *text = "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES";
    return rtc::Success;
  default:
    return Result(1);
  }
}

DRIVER cuGetErrorString(Result result, const char **text) {
  if (Result found = cuGetErrorName(result, text); found != rtc::Success)
    return found;
  *text = "of a simulated GPU";
  return rtc::Success;
}

DRIVER cuDeviceGetCount(int *count) {
  *count = 1;
  return rtc::Success;
}

DRIVER cuDeviceGet(rtc::Ordinal *device, int number) {
  *device = number;
  return number == 0 ? rtc::Success : rtc::InvalidDevice;
}

DRIVER cuDeviceGetName(char *name, int bytes, rtc::Ordinal) {
  std::strncpy(name, "simulated GPU", static_cast<size_t>(bytes));
  return rtc::Success;
}

DRIVER cuDeviceGetAttribute(int *value, int attribute, rtc::Ordinal) {
  *value = attribute == rtc::majorAttribute ? 9 : 0;
  return rtc::Success;
}

DRIVER cuDevicePrimaryCtxRetain(rtc::Context *context, rtc::Ordinal) {
  *context = &state->context;
  return rtc::Success;
}

DRIVER cuDevicePrimaryCtxRelease_v2(rtc::Ordinal) {
  state->memory.checkGuards("at the end");
  state->memory.checkEmpty();
  if (state->handles)
    die("the program ends with %lld streams, events, graphs and modules", static_cast<long long>(state->handles));
  state->current = false;
  return rtc::Success;
}

DRIVER cuCtxSetCurrent(rtc::Context context) {
  state->current = context == &state->context;
  return rtc::Success;
}

DRIVER cuMemGetInfo_v2(size_t *free, size_t *total) {
  *total = totalMemory();
  *free = *total - std::min(*total, state->memory.used());
  return rtc::Success;
}

DRIVER cuMemAlloc_v2(rtc::Address *address, size_t bytes) {
  USABLE();
  NOT_WHILE_CAPTURING();
  if (bytes == 0)
    return Result(1);
  if (state->fault.is("alloc", ++state->allocations) || state->memory.used() + bytes > totalMemory())
    return rtc::OutOfMemory;
  *address = state->memory.allocate(bytes);
  return *address ? rtc::Success : rtc::OutOfMemory;
}

// Freeing succeeds on a broken device too: else nobody could see what a program forgets.
DRIVER cuMemFree_v2(rtc::Address address) {
  NOT_WHILE_CAPTURING();
  return state->memory.free(address) ? rtc::Success : Result(1);
}

DRIVER cuMemHostAlloc(void **address, size_t bytes, unsigned) {
  USABLE();
  NOT_WHILE_CAPTURING();
  *address = state->memory.pin(bytes);
  return rtc::Success;
}

DRIVER cuMemFreeHost(void *address) { return state->memory.unpin(address) ? rtc::Success : Result(1); }

DRIVER cuMemcpyHtoDAsync_v2(rtc::Address to, const void *from, size_t bytes, rtc::Stream stream) {
  USABLE();
  state->memory.checkRange("a copy to the device", to, bytes);
  Result asked = enqueue(stream, [=] {
    std::memcpy(reinterpret_cast<void *>(to), from, bytes);
    return rtc::Success;
  });
  if (state->memory.isPinned(from, bytes))
    return asked;
  if (stream->capturing)
    die("a copy from memory that is not pinned, while capturing");
  return finish(stream, stream->asked);
}

DRIVER cuMemcpyDtoHAsync_v2(void *to, rtc::Address from, size_t bytes, rtc::Stream stream) {
  USABLE();
  state->memory.checkRange("a copy from the device", from, bytes);
  if (stream->capturing && !state->memory.isPinned(to, bytes))
    die("a copy to memory that is not pinned, while capturing");
  return enqueue(stream, [=] {
    std::memcpy(to, reinterpret_cast<const void *>(from), bytes);
    return rtc::Success;
  });
}

DRIVER cuMemsetD8Async(rtc::Address to, unsigned char value, size_t bytes, rtc::Stream stream) {
  USABLE();
  state->memory.checkRange("filling memory", to, bytes);
  return enqueue(stream, [=] {
    std::memset(reinterpret_cast<void *>(to), value, bytes);
    return rtc::Success;
  });
}

template <class Handle> Result make(Handle *handle, Handle made) {
  *handle = made;
  ++state->handles;
  return rtc::Success;
}

template <class Handle> Result destroy(Handle handle) {
  delete handle;
  --state->handles;
  return rtc::Success;
}

DRIVER cuStreamCreate(rtc::Stream *stream, unsigned) {
  USABLE();
  return make(stream, new rtc::StreamOfDriver);
}
DRIVER cuStreamDestroy_v2(rtc::Stream stream) { return destroy(stream); }

DRIVER cuStreamSynchronize(rtc::Stream stream) {
  USABLE();
  NOT_WHILE_CAPTURING();
  return finish(stream, stream->asked);
}

DRIVER cuStreamBeginCapture_v2(rtc::Stream stream, unsigned) {
  USABLE();
  ++state->captures;
  return make(&stream->capturing, new rtc::GraphOfDriver);
}

DRIVER cuStreamEndCapture(rtc::Stream stream, rtc::Graph *graph) {
  *graph = std::exchange(stream->capturing, nullptr);
  --state->captures;
  return *graph ? rtc::Success : Result(901);
}

DRIVER cuGraphInstantiateWithFlags(rtc::Executable *executable, rtc::Graph graph, unsigned long long) {
  USABLE();
  return make(executable, new rtc::ExecutableOfDriver{graph->works});
}
DRIVER cuGraphDestroy(rtc::Graph graph) { return destroy(graph); }
DRIVER cuGraphExecDestroy(rtc::Executable executable) { return destroy(executable); }

DRIVER cuGraphLaunch(rtc::Executable executable, rtc::Stream stream) {
  USABLE();
  for (const rtc::Work &work : executable->works)
    enqueue(stream, work);
  return rtc::Success;
}

DRIVER cuEventCreate(rtc::Event *event, unsigned) {
  USABLE();
  return make(event, new rtc::EventOfDriver);
}
DRIVER cuEventDestroy_v2(rtc::Event event) { return destroy(event); }

DRIVER cuEventRecord(rtc::Event event, rtc::Stream stream) {
  USABLE();
  *event = {stream, stream->asked};
  return rtc::Success;
}

// What a stream is asked for takes a millisecond each.
DRIVER cuEventElapsedTime(float *milliseconds, rtc::Event start, rtc::Event end) {
  USABLE();
  if (!start->stream || !end->stream || end->stream->done < end->at)
    return Result(600);
  *milliseconds = static_cast<float>(end->at - start->at);
  return rtc::Success;
}

DRIVER cuEventSynchronize(rtc::Event event) {
  USABLE();
  NOT_WHILE_CAPTURING();
  return event->stream ? finish(event->stream, event->at) : rtc::Success;
}

DRIVER cuModuleLoadDataEx(rtc::Module *module, const void *image, unsigned, const int *, void **values) {
  USABLE();
  NOT_WHILE_CAPTURING();
  const char *text = static_cast<const char *>(image);
  bool isCode = std::memcmp(text,
                            "\x7f"
                            "ELF",
                            4) == 0;
  const char *forms = std::getenv("TOWER_SIMULATED_KERNELS");
  if (!forms)
    die("TOWER_SIMULATED_KERNELS names no library of kernels");
  if (!isCode && !std::strstr(text, ".version")) {
    std::strcpy(static_cast<char *>(values[0]), "line 1: no .version");
    return rtc::InvalidPtx;
  }
  // Host forms call the device, which is in this library.
  Dl_info self;
  ::dladdr(reinterpret_cast<void *>(cuInit), &self);
  ::dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);
  void *library = ::dlopen(forms, RTLD_NOW | RTLD_LOCAL);
  if (!library)
    die("%s", ::dlerror());
  auto *made = new rtc::ModuleOfDriver;
  made->image = isCode ? "" : text;
  made->forms = library;
  return make(module, made);
}

DRIVER cuModuleUnload(rtc::Module module) { return destroy(module); }

DRIVER cuModuleGetFunction(rtc::Function *function, rtc::Module module, const char *name) {
  USABLE();
  std::unique_ptr<rtc::FunctionOfDriver> &found = module->functions[name];
  if (!found) {
    if (!module->image.empty() && module->image.find(std::string(".entry ") + name + "(") == std::string::npos)
      return rtc::NotFound;
    void *form = ::dlsym(module->forms, (std::string(name) + "_host").c_str());
    auto *arguments = static_cast<int64_t *>(::dlsym(module->forms, (std::string(name) + "_arguments").c_str()));
    if (!form || !arguments)
      die("the library of kernels lacks %s_host or %s_arguments", name, name);
    found = std::make_unique<rtc::FunctionOfDriver>();
    *found = {name, {nullptr, reinterpret_cast<tower_host_form>(form)}, *arguments};
    found->kernel.name = found->name.c_str();
  }
  *function = found.get();
  return rtc::Success;
}

DRIVER cuLaunchKernel(rtc::Function function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX,
                      unsigned blockY, unsigned blockZ, unsigned sharedBytes, rtc::Stream stream, void **arguments,
                      void **) {
  USABLE();
  if (gridX == 0 || gridY != 1 || gridZ != 1 || blockX != 32 || blockY == 0 || blockY > 32 || blockZ != 1 ||
      sharedBytes != 0)
    return Result(1);
  if (state->fault.is("launch", ++state->launches))
    return rtc::LaunchOutOfResources;
  std::vector<uint64_t> values;
  for (int64_t i = 0; i < function->arguments; ++i)
    values.push_back(*static_cast<uint64_t *>(arguments[i]));
  return enqueue(stream, [=]() mutable {
    ++state->kernels;
    if (state->fault.is("sticky", state->kernels))
      return rtc::IllegalAddress;
    if (state->fault.is("lost", state->kernels))
      return rtc::EccUncorrectable;
    std::vector<void *> places;
    for (uint64_t &value : values)
      places.push_back(&value);
    tower::gpu_test::launch(function->kernel, gridX, blockY, places.data());
    return rtc::Success;
  });
}
