// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Draws a part of the pairs.
#include "runtime/PairSubset.h"

#include "runtime/Philox.h"

#include <cmath>

namespace tower::rt {

PairSubset::PairSubset(const Pairs &all, double fraction, uint64_t seed) {
  PhiloxKey key = philoxKey(seed, fnv1a32("fraction"));
  auto bound = static_cast<uint64_t>(std::llround(fraction * 0x1p32));
  for (int64_t i = 0; i < all.size(); ++i) {
    if (philox({static_cast<uint32_t>(i), static_cast<uint32_t>(i >> 32), 0, 0}, key)[0] >= bound)
      continue;
    query.push_back(all.query[i]);
    item.push_back(all.item[i]);
    if (!all.weight.empty())
      weight.push_back(all.weight[i]);
    if (!all.time.empty())
      time.push_back(all.time[i]);
  }
  subset = {all.split, query, item, weight, time};
}

} // namespace tower::rt
