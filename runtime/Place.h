// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the entries of a program run, and where what they work on is meanwhile: this machine's processor, or a GPU
// (cuda/DevicePlace.h). The rest of the runtime sees the host's memory only.
#ifndef TOWER_RUNTIME_PLACE_H
#define TOWER_RUNTIME_PLACE_H

#include "runtime/Manifest.h"
#include "runtime/Memory.h"
#include "runtime/Pool.h"
#include "runtime/Tensors.h"
#include "runtime/tower_abi.h"

#include <iosfwd>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tower::rt {

/// One call of an entry: its operands, arguments and then results, in the host's memory, and their unknown dimensions.
struct EntryCall {
  const EntryInfo &entry;
  size_t index; // of the entry in the manifest
  const std::vector<void *> &buffers;
  const std::vector<int64_t> &extents;
};

class Place {
public:
  virtual ~Place() = default;

  /// What runs the code, for people.
  virtual std::string name() const = 0;
  /// Bytes of the arena, shared by all entries; spoiling it fills it with NaN and rows -1.
  virtual size_t arenaBytes() const = 0;
  virtual void spoilArena() = 0;

  /// Runs an entry to its end and returns its status.
  virtual int32_t call(const EntryCall &call) = 0;
  /// Begins a training step, of which so many may be under way as steps() says; finishStep ends the oldest: only then
  /// does the host have its results.
  virtual int64_t steps() const { return 1; }
  virtual int32_t startStep(const EntryCall &step) { return call(step); }
  virtual void finishStep() {}

  /// The model's tensors, once; then, that the host has written them, and that it is about to read them.
  virtual void useTensors(const Tensors &tensors) {}
  virtual void tensorsWritten() {}
  virtual void readTensors() {}
  /// That memory of the host, an argument that never changed so far, may be about to change.
  virtual void forget(const void *host) {}
};

/// This machine's processor.
class HostPlace : public Place {
public:
  /// Throws Error unless the processor can run one of the program's targets (chooseTarget). Program and pool must
  /// outlive the place.
  HostPlace(const tower_program_v1 &program, const Manifest &manifest, Pool &pool);

  /// The target's name.
  std::string name() const override { return cpu; }
  size_t arenaBytes() const override { return arena.size(); }
  void spoilArena() override;
  int32_t call(const EntryCall &call) override;

private:
  std::string cpu;
  const tower_entry *entries;
  Pool &pool;
  Memory arena;
};

/// The place that a user wishes: "cpu", "cuda", "cuda:N", or "auto", which is a GPU where the program has code for one
/// and there is one; that it is not there is then a note on `err`. Throws Error if the wish cannot be fulfilled.
/// Program and pool must outlive the place; the manifest need not.
std::unique_ptr<Place> openPlace(const tower_program_v1 &program, const Manifest &manifest, const std::string &device,
                                 Pool &pool, std::ostream &err);

/// The default of --device: what the environment variable TOWER_DEVICE says, else "auto".
std::string defaultDevice();
/// Is it one of the wishes above?
bool isDevice(const std::string &text);

} // namespace tower::rt
#endif
