// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/cuda/KernelTimes.h"

#include <fstream>

namespace tower::rt::cuda {

Event KernelTimes::next() {
  if (used == events.size()) {
    Event event = nullptr;
    device.driver().check(device.driver().eventCreate(&event, 0), "make an event");
    events.emplace_back(event, device.driver().eventDestroy);
  }
  return events[used++].get();
}

void KernelTimes::begin() {
  device.driver().check(device.driver().eventRecord(next(), device.stream()), "take the time");
}

void KernelTimes::end(const char *kernel) {
  launches.push_back({kernel, used - 1});
  begin();
}

void KernelTimes::finishStep(bool dropped) {
  for (const Launch &launch : launches) {
    float milliseconds = 0;
    device.driver().check(
        device.driver().eventElapsedTime(&milliseconds, events[launch.event].get(), events[launch.event + 1].get()),
        "take the time");
    Sum &sum = sums[launch.kernel];
    sum.launches += !dropped;
    sum.milliseconds += dropped ? 0 : milliseconds;
  }
  steps += !dropped;
  launches.clear();
  used = 0;
}

void KernelTimes::write() const {
  std::ofstream file(path);
  file << "{\"steps\": " << steps << ", \"kernels\": [";
  const char *separator = "\n";
  for (const auto &[kernel, sum] : sums) {
    file << separator << R"({"kernel": ")" << kernel << R"(", "launches": )" << sum.launches << R"(, "milliseconds": )"
         << sum.milliseconds << "}";
    separator = ",\n";
  }
  file << "]}\n";
  if (!file.flush())
    throw Error("cannot write the kernels' times to '" + path + "', which TOWER_DEVICE_TIMES names");
}

} // namespace tower::rt::cuda
