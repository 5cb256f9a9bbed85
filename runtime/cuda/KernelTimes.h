// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How long each kernel takes, for measurements: the environment variable TOWER_DEVICE_TIMES names a file that gets, for
// each kernel of training steps, how often it ran and for how many milliseconds in all. Steps are then no graphs.
#ifndef TOWER_RUNTIME_CUDA_KERNELTIMES_H
#define TOWER_RUNTIME_CUDA_KERNELTIMES_H

#include "runtime/cuda/Device.h"

#include <map>
#include <string>
#include <vector>

namespace tower::rt::cuda {

class KernelTimes {
public:
  /// The device must outlive it.
  KernelTimes(const Device &device, std::string path) : device(device), path(std::move(path)) {}

  /// Around the launch of a kernel in a training step.
  void begin();
  void end(const char *kernel);
  /// When all that was launched is done; the step counts unless `dropped`, as the first one, which loads kernels.
  void finishStep(bool dropped);
  /// Writes the file. Throws Error if that fails.
  void write() const;

private:
  struct Launch {
    std::string kernel;
    size_t event; // the first of two
  };
  struct Sum {
    int64_t launches = 0;
    double milliseconds = 0;
  };
  Event next();

  const Device &device;
  std::string path;
  std::vector<Owned<Event>> events; // made once, used in every step
  size_t used = 0;
  std::vector<Launch> launches;
  std::map<std::string, Sum> sums;
  int64_t steps = 0;
};

} // namespace tower::rt::cuda
#endif
