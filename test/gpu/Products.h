// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What mma.sync does: a warp's registers as matrices.
#ifndef TOWER_TEST_GPU_PRODUCTS_H
#define TOWER_TEST_GPU_PRODUCTS_H

#include <cstdint>

namespace tower::gpu_test {

/// Does tower_device_multiply for all lanes; register r of lane l is registers[32 r + l].
void multiply(int32_t *registers, const int32_t *steps, int64_t count, bool bf16);

/// Rounded to the nearest, from a tie to the even one; `low` in the lower half.
int32_t toBf16(float low, float high);

} // namespace tower::gpu_test

#endif
