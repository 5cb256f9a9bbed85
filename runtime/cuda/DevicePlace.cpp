// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/cuda/DevicePlace.h"

#include "runtime/Error.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iostream>

namespace tower::rt::cuda {

namespace {
constexpr size_t chunkBytes = size_t(1) << 20;
constexpr size_t alignment = 64;

size_t rounded(size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

void *pointerOf(Address address) { return reinterpret_cast<void *>(address); }
Address addressOf(const void *pointer) { return reinterpret_cast<Address>(pointer); }

size_t bytesOf(ElementType type) { return type == ElementType::I64 || type == ElementType::F64 ? 8 : 4; }
} // namespace

DevicePlace::DevicePlace(const tower_program_v1 &program, const Manifest &manifest, int number, Pool &pool,
                         std::ostream &notes)
    : device(driver, number, {program.images, static_cast<size_t>(program.num_images)}),
      entries(program.entries + manifest.targets.size() * manifest.entries.size()), pool(pool), notes(notes) {
  for (const auto &[entry, bytes] : manifest.cuda->arenaBytes)
    arenaSize = std::max(arenaSize, static_cast<size_t>(bytes));
  for (Slot &slot : slots) {
    Event event = nullptr;
    driver.check(driver.eventCreate(&event, untimedEvent), "make an event");
    slot.free = {event, driver.eventDestroy};
  }
  if (const char *path = std::getenv("TOWER_DEVICE_TIMES"); path && *path)
    times.emplace(device, path);
  pool.launcher = this;
}

DevicePlace::~DevicePlace() {
  driver.streamSynchronize(device.stream()); // a step that nobody finished reads what goes now
  pool.launcher = nullptr;
  try {
    if (times)
      times->write();
  } catch (const Error &error) {
    std::cerr << "error: " << error.what() << std::endl;
  }
}

void DevicePlace::spoilArena() {
  if (!arena.owned)
    arena = device.allocate(arenaSize);
  if (arenaSize)
    driver.check(driver.fill(arena.address(), 0xFF, arenaSize, device.stream()), "fill the arena");
}

// ---- Operands ----

void DevicePlace::uploadTensors() {
  if (!tensors.owned)
    tensors = device.allocate(hostTensors->bytes());
  device.upload(tensors.address(), hostTensors->data(), hostTensors->bytes());
  hostIsNewer = false;
}

void DevicePlace::tensorsWritten() {
  hostIsNewer = true;
  deviceIsNewer = false;
}

void DevicePlace::readTensors() {
  if (!deviceIsNewer)
    return;
  device.download(hostTensors->data(), tensors.address(), hostTensors->bytes());
  device.synchronize();
  deviceIsNewer = false;
}

void *DevicePlace::fixed(const void *host, size_t bytes) {
  Fixed &there = data[host];
  if (there.bytes < bytes || !there.bytes) {
    there = {};
    if (device.hasRoom(bytes)) {
      there.device = device.allocate(bytes);
      device.upload(there.device.address(), host, bytes);
    } else {
      there.host = device.allocatePinned(bytes);
      std::memcpy(there.host.address(), host, bytes);
      if (!std::exchange(saidNoRoom, true))
        notes << "note: the data does not fit on " << device.name() << ": it reads some of it from the host's memory\n";
    }
    there.bytes = std::max<size_t>(bytes, 1);
  }
  return there.device.owned ? pointerOf(there.device.address()) : there.host.address();
}

void DevicePlace::forget(const void *host) {
  data.erase(host);
  bounds.clear();
}

void *DevicePlace::ownMemory(DeviceMemory &memory, size_t bytes) const {
  if (!memory.owned || memory.bytes < bytes)
    memory = device.allocate(bytes);
  return pointerOf(memory.address());
}

void *DevicePlace::place(ArgumentKind kind, void *host, size_t bytes, DeviceMemory &own) {
  switch (kind) {
  case ArgumentKind::Tensor:
    return pointerOf(tensors.address() + (addressOf(host) - addressOf(hostTensors->data())));
  case ArgumentKind::Column:
  case ArgumentKind::Pairs:
  case ArgumentKind::LogProbability:
    return fixed(host, bytes);
  case ArgumentKind::MiOrder:
  case ArgumentKind::Items:
  case ArgumentKind::Step:
  case ArgumentKind::Seed:
  case ArgumentKind::Rate:
    return host;
  case ArgumentKind::Rows:
  case ArgumentKind::Queries:
  case ArgumentKind::Catalogue:
  case ArgumentKind::ExcludeOffsets:
  case ArgumentKind::ExcludeRows:
    break;
  }
  void *there = ownMemory(own, bytes);
  device.upload(addressOf(there), host, bytes);
  return there;
}

DevicePlace::Bound &DevicePlace::bind(const EntryCall &call) {
  if (hostIsNewer)
    uploadTensors();
  if (!arena.owned)
    arena = device.allocate(arenaSize);
#if defined(__SANITIZE_ADDRESS__)
  spoilArena();
#endif
  Bound &bound = bounds[call.index];
  const EntryInfo &entry = call.entry;
  size_t operands = call.buffers.size(), arguments = entry.arguments.size(), extent = 0;
  bound.hosts.resize(operands);
  bound.devices.resize(operands);
  bound.own.resize(operands);
  bound.bytes.resize(operands);
  for (size_t i = 0; i < operands; ++i) {
    bool isArgument = i < arguments;
    const Shape &shape = isArgument ? entry.arguments[i].shape : entry.results[i - arguments].shape;
    size_t bytes = bytesOf(isArgument ? entry.arguments[i].type : entry.results[i - arguments].type);
    for (int64_t size : shape)
      bytes *= static_cast<size_t>(size == -1 ? call.extents[extent++] : size);
    // What a call gives has memory of its own, which is filled each time.
    bool same = bound.devices[i] && !bound.own[i].owned && bound.hosts[i] == call.buffers[i] && bound.bytes[i] == bytes;
    bound.hosts[i] = call.buffers[i];
    bound.bytes[i] = bytes;
    if (!isArgument)
      bound.devices[i] = ownMemory(bound.own[i], bytes);
    else if (!same)
      bound.devices[i] = place(entry.arguments[i].kind, call.buffers[i], bytes, bound.own[i]);
  }
  return bound;
}

// ---- Calls ----

DevicePlace::Slot &DevicePlace::takeSlot() {
  Slot &slot = slots[turn];
  turn = 1 - turn;
  driver.check(driver.eventSynchronize(slot.free.get()), "finish an earlier step on the GPU");
  return slot;
}

int32_t DevicePlace::run(const EntryCall &call, const Bound &bound, Slot &slot, bool listen) {
  active = &slot;
  slot.chunk = slot.used = 0;
  listening = listen;
  asked = 0xCBF29CE484222325u;
  for (void *operand : bound.devices)
    ask(addressOf(operand));
  failure = nullptr;
  tower_call operands{bound.devices.data(), call.extents.data(), pointerOf(arena.address()), &pool};
  int32_t status = entries[call.index](&operands);
  active = nullptr;
  spare.clear();
  if (failure)
    std::rethrow_exception(std::exchange(failure, nullptr));
  return status;
}

int32_t DevicePlace::call(const EntryCall &call) {
  Slot &slot = takeSlot();
  Bound &bound = bind(call);
  int32_t status = run(call, bound, slot, /*listen=*/false);
  for (size_t i = call.entry.arguments.size(); i < call.buffers.size() && status == TOWER_OK; ++i)
    device.download(bound.hosts[i], addressOf(bound.devices[i]), bound.bytes[i]);
  device.synchronize();
  return status;
}

int32_t DevicePlace::startStep(const EntryCall &step) {
  Slot &slot = takeSlot();
  Bound &bound = bind(step);
  if (int32_t status = run(step, bound, slot, /*listen=*/true); status != TOWER_OK)
    return status;
  size_t arguments = step.entry.arguments.size(), total = 0;
  slot.resultsOfCaller.assign(bound.hosts.begin() + static_cast<ptrdiff_t>(arguments), bound.hosts.end());
  slot.resultBytes.assign(bound.bytes.begin() + static_cast<ptrdiff_t>(arguments), bound.bytes.end());
  for (size_t bytes : slot.resultBytes)
    total += rounded(bytes);
  if (slot.results.bytes < total)
    slot.results = device.allocatePinned(total);
  if (warm && !times && (!slot.graph || slot.graphAsks != asked))
    capture(step, bound, slot);
  if (slot.graph) {
    driver.check(driver.graphLaunch(slot.graph.get(), device.stream()), "launch a training step");
  } else {
    timing = times.has_value();
    run(step, bound, slot, /*listen=*/false);
    downloadResults(step, bound, slot);
    if (std::exchange(timing, false)) {
      device.synchronize();
      times->finishStep(/*dropped=*/!warm);
    }
    warm = true;
  }
  driver.check(driver.eventRecord(slot.free.get(), device.stream()), "note the end of a training step");
  deviceIsNewer = true;
  started.push_back(&slot);
  return TOWER_OK;
}

void DevicePlace::finishStep() {
  Slot &slot = *started.front();
  started.erase(started.begin());
  driver.check(driver.eventSynchronize(slot.free.get()), "finish a training step on the GPU");
  const char *from = static_cast<const char *>(slot.results.address());
  for (size_t i = 0; i < slot.resultBytes.size(); ++i) {
    std::memcpy(slot.resultsOfCaller[i], from, slot.resultBytes[i]);
    from += rounded(slot.resultBytes[i]);
  }
}

void DevicePlace::downloadResults(const EntryCall &step, const Bound &bound, Slot &slot) {
  char *to = static_cast<char *>(slot.results.address());
  for (size_t i = step.entry.arguments.size(); i < bound.devices.size(); ++i) {
    device.download(to, addressOf(bound.devices[i]), bound.bytes[i]);
    to += rounded(bound.bytes[i]);
  }
}

void DevicePlace::capture(const EntryCall &step, const Bound &bound, Slot &slot) {
  slot.graph = {};
  driver.check(driver.beginCapture(device.stream(), relaxedCapture), "record a training step");
  Graph graph = nullptr;
  try {
    run(step, bound, slot, /*listen=*/false);
    downloadResults(step, bound, slot);
  } catch (...) {
    driver.endCapture(device.stream(), &graph);
    if (graph)
      driver.graphDestroy(graph);
    throw;
  }
  driver.check(driver.endCapture(device.stream(), &graph), "record a training step");
  Owned<Graph> recorded(graph, driver.graphDestroy);
  Executable executable = nullptr;
  driver.check(driver.instantiate(&executable, graph, 0), "make a graph of a training step");
  slot.graph = {executable, driver.executableDestroy};
  slot.graphAsks = asked;
}

// ---- What the entry's program asks for ----

void DevicePlace::ask(uint64_t word) { asked = (asked ^ word) * 0x100000001B3u + (asked >> 29); }

template <class Function> void DevicePlace::guarded(Function function) {
  if (failure)
    return;
  try {
    function();
  } catch (...) {
    failure = std::current_exception();
  }
}

void DevicePlace::launch(const tower_kernel &kernel, int64_t blocks, int64_t warps, void *const *arguments,
                         int64_t count) {
  ask(reinterpret_cast<uint64_t>(&kernel));
  ask(static_cast<uint64_t>(blocks));
  ask(static_cast<uint64_t>(warps));
  for (int64_t i = 0; i < count; ++i)
    ask(*static_cast<const uint64_t *>(arguments[i]));
  if (!listening)
    guarded([&] {
      if (timing)
        times->begin();
      device.launch(kernel, blocks, warps, arguments);
      if (timing)
        times->end(kernel.name);
    });
}

void *DevicePlace::stage(int64_t count) {
  Slot &slot = *active;
  size_t bytes = rounded(static_cast<size_t>(count));
  void *found = nullptr;
  guarded([&] {
    while (slot.chunk < slot.chunks.size() && slot.used + bytes > slot.chunks[slot.chunk].bytes) {
      ++slot.chunk;
      slot.used = 0;
    }
    if (slot.chunk == slot.chunks.size())
      slot.chunks.push_back(device.allocatePinned(std::max(bytes, chunkBytes)));
    found = static_cast<char *>(slot.chunks[slot.chunk].address()) + slot.used;
    slot.used += bytes;
  });
  return found ? found : spare.emplace_back(bytes).data();
}

void DevicePlace::upload(void *to, const void *host, int64_t bytes) {
  // Step, seed and rate are the caller's, who has the next ones there before the device has read these.
  bool isStaged = std::any_of(active->chunks.begin(), active->chunks.end(), [&](const PinnedMemory &chunk) {
    return addressOf(host) - addressOf(chunk.address()) < chunk.bytes;
  });
  if (!isStaged)
    host = std::memcpy(stage(bytes), host, static_cast<size_t>(bytes));
  ask(addressOf(to));
  ask(addressOf(host));
  ask(static_cast<uint64_t>(bytes));
  if (!listening)
    guarded([&] { device.upload(addressOf(to), host, static_cast<size_t>(bytes)); });
}

} // namespace tower::rt::cuda
