// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Calls on the host, and the choice of a place.
#include "runtime/Place.h"

#include "runtime/Error.h"
#include "runtime/Processor.h"
#include "runtime/cuda/DevicePlace.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <ostream>

namespace tower::rt {

namespace {
size_t largestArena(const Manifest &manifest) {
  int64_t bytes = 0;
  for (const EntryInfo &entry : manifest.entries)
    bytes = std::max(bytes, entry.arenaBytes);
  return static_cast<size_t>(bytes);
}

/// N of "cuda:N", 0 of "cuda".
std::optional<int> gpuNumber(std::string_view text) {
  if (!text.starts_with("cuda"))
    return std::nullopt;
  text.remove_prefix(4);
  if (text.empty())
    return 0;
  int number = -1;
  auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), number);
  bool whole = text[0] == ':' && error == std::errc() && end == text.data() + text.size() && number >= 0;
  return whole ? std::optional(number) : std::nullopt;
}
} // namespace

HostPlace::HostPlace(const tower_program_v1 &program, const Manifest &manifest, Pool &pool)
    : pool(pool), arena(largestArena(manifest)) {
  size_t target = chooseTarget(manifest);
  cpu = manifest.targets[target].cpu;
  entries = program.entries + target * manifest.entries.size();
}

void HostPlace::spoilArena() {
  if (arena.size())
    std::memset(arena.data(), 0xFF, arena.size());
}

int32_t HostPlace::call(const EntryCall &call) {
#if defined(__SANITIZE_ADDRESS__)
  spoilArena();
#endif
  tower_call operands{call.buffers.data(), call.extents.data(), arena.data(), &pool};
  return entries[call.index](&operands);
}

std::string defaultDevice() {
  const char *wish = std::getenv("TOWER_DEVICE");
  return wish && *wish ? wish : "auto";
}

bool isDevice(const std::string &text) { return text == "auto" || text == "cpu" || gpuNumber(text); }

std::unique_ptr<Place> openPlace(const tower_program_v1 &program, const Manifest &manifest, const std::string &device,
                                 Pool &pool, std::ostream &err) {
  if (!isDevice(device)) // a flag is looked at before, the environment is not
    throw Error("TOWER_DEVICE is '" + device + "', but must be auto, cpu, cuda or cuda:N");
  bool automatic = device == "auto";
  if (device != "cpu" && manifest.cuda) {
    try {
      return std::make_unique<cuda::DevicePlace>(program, manifest, gpuNumber(device).value_or(0), pool, err);
    } catch (const Error &error) {
      if (!automatic || manifest.targets.empty())
        throw;
      err << "note: running on the CPU: " << error.what() << std::endl;
    }
  } else if (device != "cpu" && !automatic) {
    throw Error("'" + manifest.name +
                "' has no code for a GPU: compile it with towerc --target=cuda or --target=both, " +
                "or run it with --device=cpu");
  }
  return std::make_unique<HostPlace>(program, manifest, pool);
}

} // namespace tower::rt
