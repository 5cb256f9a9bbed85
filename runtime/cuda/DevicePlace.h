// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A program on a GPU: tensors and data are there, its entries' host programs run here and ask for kernels.
//
// What the host draws for a call lies in a slot, pinned memory that the GPU copies from some time later. There are two,
// so that one training step can be prepared while the other runs. What a step asks for is the same every time, so after
// the first step each slot gets a graph of it, and a step is the entry's draws and one launch.
#ifndef TOWER_RUNTIME_CUDA_DEVICEPLACE_H
#define TOWER_RUNTIME_CUDA_DEVICEPLACE_H

#include "runtime/Place.h"
#include "runtime/cuda/Device.h"
#include "runtime/cuda/KernelTimes.h"

#include <array>
#include <exception>
#include <map>
#include <optional>
#include <vector>

namespace tower::rt::cuda {

class DevicePlace final : public Place, private Launcher {
public:
  /// GPU `number` for a program that has code for one. Throws Error, as the driver and the device do. Program, pool and
  /// `notes`, where it says what a user should know, must outlive the place.
  DevicePlace(const tower_program_v1 &program, const Manifest &manifest, int number, Pool &pool, std::ostream &notes);
  ~DevicePlace() override;

  std::string name() const override { return device.name(); }
  size_t arenaBytes() const override { return arenaSize; }
  void spoilArena() override;

  int32_t call(const EntryCall &call) override;
  int64_t steps() const override { return static_cast<int64_t>(slots.size()); }
  int32_t startStep(const EntryCall &step) override;
  void finishStep() override;

  void useTensors(const Tensors &tensors) override { hostTensors = &tensors; }
  void tensorsWritten() override;
  void readTensors() override;
  void forget(const void *host) override;

private:
  /// Operands of an entry on the device.
  struct Bound {
    std::vector<void *> hosts, devices; // devices[i] is for hosts[i]
    std::vector<DeviceMemory> own;      // of what is given with each call, and of results
    std::vector<size_t> bytes;
  };

  /// A column of the data, or other memory of the host that stays the same.
  struct Fixed {
    DeviceMemory device;
    PinnedMemory host; // in its place where the device has no room: kernels read it there
    size_t bytes = 0;
  };

  struct Slot {
    Owned<Event> free; // from then on nothing on the device reads the slot
    std::vector<PinnedMemory> chunks;
    size_t chunk = 0, used = 0; // what the running call has of `chunks`
    PinnedMemory results;
    Owned<Executable> graph;
    uint64_t graphAsks = 0;              // `asked` of what the graph does
    std::vector<void *> resultsOfCaller; // where results go when the step is finished
    std::vector<size_t> resultBytes;
  };

  Bound &bind(const EntryCall &call);
  void *place(ArgumentKind kind, void *host, size_t bytes, DeviceMemory &own);
  void *fixed(const void *host, size_t bytes);
  void *ownMemory(DeviceMemory &memory, size_t bytes) const;
  void uploadTensors();

  /// The next slot, when it is free.
  Slot &takeSlot();
  /// Runs the entry's program. With `listen` nothing reaches the device: the slot is filled, and `asked` says with
  /// what.
  int32_t run(const EntryCall &call, const Bound &bound, Slot &slot, bool listen);
  void capture(const EntryCall &step, const Bound &bound, Slot &slot);
  void downloadResults(const EntryCall &step, const Bound &bound, Slot &slot);

  void launch(const tower_kernel &kernel, int64_t blocks, int64_t warps, void *const *arguments,
              int64_t count) override;
  void *stage(int64_t bytes) override;
  void upload(void *to, const void *host, int64_t bytes) override;
  /// Generated code lets no exception through: the first one waits for the entry's end.
  template <class Function> void guarded(Function function);
  void ask(uint64_t word);

  Driver driver;
  Device device;
  const tower_entry *entries;
  Pool &pool;
  std::ostream &notes;
  bool saidNoRoom = false;
  size_t arenaSize = 0;
  DeviceMemory arena, tensors;
  const Tensors *hostTensors = nullptr;
  bool hostIsNewer = true, deviceIsNewer = false;
  std::map<const void *, Fixed> data; // by where the host has it
  std::map<size_t, Bound> bounds;     // by entry
  std::array<Slot, 2> slots;
  size_t turn = 0;             // the next call's slot
  std::vector<Slot *> started; // steps that are not finished, the oldest first
  bool warm = false;           // a step has run: all kernels are loaded
  std::optional<KernelTimes> times;

  // Of the call that runs:
  Slot *active = nullptr;
  bool listening = false, timing = false;
  uint64_t asked = 0; // a hash of what was asked for
  std::exception_ptr failure;
  std::vector<std::vector<char>> spare; // for a program that goes on after a failure
};

} // namespace tower::rt::cuda
#endif
