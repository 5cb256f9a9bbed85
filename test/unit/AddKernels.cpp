// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Host forms of the kernels that CudaTest launches, as a library: what tower-host-forms makes of a compiled model.
#include "test/gpu/Device.h"

extern "C" {

/// add(to, amount, count): adds to each element.
extern const int64_t add_arguments = 3;
void add_host(void *const *arguments) {
  auto *to = *static_cast<float **>(arguments[0]);
  int64_t amount = *static_cast<int64_t *>(arguments[1]), count = *static_cast<int64_t *>(arguments[2]);
  int64_t i =
      (tower_device_place(TOWER_BLOCK) * 1 + tower_device_place(TOWER_WARP)) * 32 + tower_device_place(TOWER_LANE);
  if (i < count)
    to[i] += static_cast<float>(amount);
}

/// write(to, element, from): an element of another array.
extern const int64_t write_arguments = 3;
void write_host(void *const *arguments) {
  if (tower_device_place(TOWER_LANE) == 0)
    (*static_cast<float **>(arguments[0]))[*static_cast<int64_t *>(arguments[1])] =
        **static_cast<const float **>(arguments[2]);
}
}
