// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The few functions of the CUDA driver's interface that the runtime calls, found in libcuda.so.1 when a program first
// wants a GPU: neither building nor running on a CPU needs CUDA.
#ifndef TOWER_RUNTIME_CUDA_DRIVER_H
#define TOWER_RUNTIME_CUDA_DRIVER_H

#include "runtime/Error.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace tower::rt::cuda {

/// CUresult: one of the few that are looked at.
enum Result : int {
  Success = 0,
  OutOfMemory = 2,
  NoDevice = 100,
  InvalidDevice = 101,
  NoBinary = 209,
  EccUncorrectable = 214,
  InvalidPtx = 218,
  UnsupportedPtx = 222,
  NotFound = 500,
  IllegalAddress = 700,
  LaunchOutOfResources = 701,
  LaunchFailed = 719,
  Unknown = 999
};

using Address = uint64_t; // CUdeviceptr
using Ordinal = int;      // CUdevice
using Context = struct ContextOfDriver *;
using Stream = struct StreamOfDriver *;
using Event = struct EventOfDriver *;
using Module = struct ModuleOfDriver *;
using Function = struct FunctionOfDriver *;
using Graph = struct GraphOfDriver *;
using Executable = struct ExecutableOfDriver *; // CUgraphExec

// Values of the driver's enumerations.
constexpr int majorAttribute = 75, minorAttribute = 76;                 // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*
constexpr int logBuffer = 5, logBufferBytes = 6;                        // CU_JIT_ERROR_LOG_BUFFER*
constexpr unsigned ownStream = 1, untimedEvent = 2, relaxedCapture = 2; // *_NON_BLOCKING, *_DISABLE_TIMING, *_RELAXED

/// X(name, symbol, parameters): the symbol is that of the version whose parameters these are.
#define TOWER_CUDA_FUNCTIONS(X)                                                                                        \
  X(init, cuInit, (unsigned flags))                                                                                    \
  X(driverGetVersion, cuDriverGetVersion, (int *version))                                                              \
  X(getErrorName, cuGetErrorName, (Result result, const char **text))                                                  \
  X(getErrorString, cuGetErrorString, (Result result, const char **text))                                              \
  X(deviceGetCount, cuDeviceGetCount, (int *count))                                                                    \
  X(deviceGet, cuDeviceGet, (Ordinal * device, int number))                                                            \
  X(deviceGetName, cuDeviceGetName, (char *name, int bytes, Ordinal device))                                           \
  X(deviceGetAttribute, cuDeviceGetAttribute, (int *value, int attribute, Ordinal device))                             \
  X(contextRetain, cuDevicePrimaryCtxRetain, (Context * context, Ordinal device))                                      \
  X(contextRelease, cuDevicePrimaryCtxRelease_v2, (Ordinal device))                                                    \
  X(contextSetCurrent, cuCtxSetCurrent, (Context context))                                                             \
  X(memGetInfo, cuMemGetInfo_v2, (size_t * free, size_t * total))                                                      \
  X(memAlloc, cuMemAlloc_v2, (Address * address, size_t bytes))                                                        \
  X(memFree, cuMemFree_v2, (Address address))                                                                          \
  X(memHostAlloc, cuMemHostAlloc, (void **address, size_t bytes, unsigned flags))                                      \
  X(memFreeHost, cuMemFreeHost, (void *address))                                                                       \
  X(copyToDevice, cuMemcpyHtoDAsync_v2, (Address to, const void *from, size_t bytes, Stream stream))                   \
  X(copyToHost, cuMemcpyDtoHAsync_v2, (void *to, Address from, size_t bytes, Stream stream))                           \
  X(fill, cuMemsetD8Async, (Address to, unsigned char value, size_t bytes, Stream stream))                             \
  X(streamCreate, cuStreamCreate, (Stream * stream, unsigned flags))                                                   \
  X(streamDestroy, cuStreamDestroy_v2, (Stream stream))                                                                \
  X(streamSynchronize, cuStreamSynchronize, (Stream stream))                                                           \
  X(beginCapture, cuStreamBeginCapture_v2, (Stream stream, unsigned mode))                                             \
  X(endCapture, cuStreamEndCapture, (Stream stream, Graph * graph))                                                    \
  X(instantiate, cuGraphInstantiateWithFlags, (Executable * executable, Graph graph, unsigned long long flags))        \
  X(graphLaunch, cuGraphLaunch, (Executable executable, Stream stream))                                                \
  X(graphDestroy, cuGraphDestroy, (Graph graph))                                                                       \
  X(executableDestroy, cuGraphExecDestroy, (Executable executable))                                                    \
  X(eventCreate, cuEventCreate, (Event * event, unsigned flags))                                                       \
  X(eventRecord, cuEventRecord, (Event event, Stream stream))                                                          \
  X(eventSynchronize, cuEventSynchronize, (Event event))                                                               \
  X(eventElapsedTime, cuEventElapsedTime, (float *milliseconds, Event start, Event end))                               \
  X(eventDestroy, cuEventDestroy_v2, (Event event))                                                                    \
  X(moduleLoad, cuModuleLoadDataEx,                                                                                    \
    (Module * module, const void *image, unsigned options, const int *names, void **values))                           \
  X(moduleUnload, cuModuleUnload, (Module module))                                                                     \
  X(moduleGetFunction, cuModuleGetFunction, (Function * function, Module module, const char *name))                    \
  X(launchKernel, cuLaunchKernel,                                                                                      \
    (Function function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,              \
     unsigned blockZ, unsigned sharedBytes, Stream stream, void **arguments, void **extra))

/// The driver of this machine, made ready.
class Driver {
public:
  /// Opens libcuda.so.1, or what the environment variable TOWER_CUDA_DRIVER names. Throws Error if there is none, or if
  /// it is older than CUDA 12.0.
  Driver();
  ~Driver();
  Driver(const Driver &) = delete;

#define TOWER_DECLARE(name, symbol, parameters) Result(*name) parameters = nullptr;
  TOWER_CUDA_FUNCTIONS(TOWER_DECLARE)
#undef TOWER_DECLARE

  /// Throws Error unless the call was a success: `attempt` is what was tried, as in "launch a kernel".
  void check(Result result, const char *attempt) const {
    if (result != Success)
      fail(result, attempt);
  }
  [[noreturn]] void fail(Result result, const std::string &attempt) const;

private:
  void find();

  std::string path;
  void *library = nullptr;
};

} // namespace tower::rt::cuda
#endif
