// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A GPU in use: its context, one stream, the program's kernels, memory.
#ifndef TOWER_RUNTIME_CUDA_DEVICE_H
#define TOWER_RUNTIME_CUDA_DEVICE_H

#include "runtime/cuda/Driver.h"
#include "runtime/tower_abi.h"

#include <span>
#include <string>
#include <unordered_map>
#include <utility>

namespace tower::rt::cuda {

/// A handle of the driver with the call that gives it back.
template <class Handle> class Owned {
public:
  using Release = Result (*)(Handle);
  Owned() = default;
  Owned(Handle handle, Release release) : handle(handle), release(release) {}
  Owned(Owned &&other) noexcept : handle(std::exchange(other.handle, Handle())), release(other.release) {}
  Owned &operator=(Owned &&other) noexcept {
    std::swap(handle, other.handle);
    std::swap(release, other.release);
    return *this;
  }
  ~Owned() {
    if (handle)
      release(handle); // what it says is of an error that was reported before
  }
  Handle get() const { return handle; }
  explicit operator bool() const { return handle != Handle(); }

private:
  Handle handle = Handle();
  Release release = nullptr;
};

/// Memory of the device, or memory of the host that the device copies from and to on its own.
template <class Handle> struct Block {
  Owned<Handle> owned;
  size_t bytes = 0;

  Handle address() const { return owned.get(); }
};
using DeviceMemory = Block<Address>;
using PinnedMemory = Block<void *>;

/// Not for use by two threads at once. What it is asked for happens in order, some time before synchronize returns.
class Device {
public:
  /// Takes GPU `number` of those that the driver lists and loads the kernels: those compiled for it, else the PTX.
  /// Throws Error if there is no such GPU, or neither. The driver must outlive the device, which must outlive what it
  /// gave.
  Device(const Driver &driver, int number, std::span<const tower_image> images);
  ~Device();
  Device(const Device &) = delete;

  const Driver &driver() const { return functions; }
  /// As in "NVIDIA H100 80GB HBM3 (cuda:0, sm_90)".
  const std::string &name() const { return title; }
  Stream stream() const { return queue.get(); }

  /// Neither is zeroed. Throws Error with what was asked for and what is free if there is not enough.
  DeviceMemory allocate(size_t bytes) const;
  /// Whether there is so much memory, and a sixteenth of all of it is left then for what comes later.
  bool hasRoom(size_t bytes) const;
  /// Kernels may use it by its address too.
  PinnedMemory allocatePinned(size_t bytes) const;

  /// `host` may be any memory: it is read before the call returns, but pinned memory some time later.
  void upload(Address device, const void *host, size_t bytes) const;
  void download(void *host, Address device, size_t bytes) const;
  void synchronize() const;

  void launch(const tower_kernel &kernel, int64_t blocks, int64_t warps, void *const *arguments);

private:
  void load(std::span<const tower_image> images);
  /// The kernel of that name, looked up once.
  Function find(const tower_kernel &kernel);

  const Driver &functions;
  Ordinal ordinal = 0;
  int architecture = 0; // 10 x major + minor
  std::string title;
  Owned<Stream> queue;
  Owned<Module> module;
  std::unordered_map<const tower_kernel *, Function> kernels;
};

} // namespace tower::rt::cuda
#endif
