// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ranking figures of held-out pairs: recall, mean average precision and NDCG over queries, recall over pairs for head
// and tail items.
#ifndef TOWER_RUNTIME_RANKING_H
#define TOWER_RUNTIME_RANKING_H

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace tower::rt {

/// The pairs to be found: the distinct queries, rising, and for each its distinct items, rising.
struct HeldOut {
  std::vector<int32_t> queries;
  std::vector<int64_t> offsets{0}; ///< queries + 1
  std::vector<int32_t> items;      ///< query i: items[offsets[i] .. offsets[i + 1])

  std::span<const int32_t> relevant(int64_t i) const {
    return {items.data() + offsets[i], static_cast<size_t>(offsets[i + 1] - offsets[i])};
  }
};

/// Groups pairs by query. `queries` and `items` are equally long.
HeldOut groupByQuery(std::span<const int32_t> queries, std::span<const int32_t> items);

/// How often each of `total` rows occurs.
std::vector<int64_t> countRows(std::span<const int32_t> rows, int64_t total);

/// head[row] is 1 for the floor(items / 100) items with the highest counts; ties by row number.
std::vector<uint8_t> headItems(std::span<const int64_t> counts);

/// Figures at one cut-off k. Means over queries, but head and tail: hits over pairs.
struct RankingAt {
  int64_t k = 0;
  double recall = 0; ///< hits among the first k over relevant items
  double map = 0;    ///< sum of precision at the hits over min(k, relevant)
  double ndcg = 0;   ///< sum of 1 / log2(1 + rank) over the hits, over its largest value
  double headRecall = 0, tailRecall = 0;
};
struct Ranking {
  int64_t queries = 0, pairs = 0, headPairs = 0, tailPairs = 0;
  std::vector<RankingAt> at;
  std::vector<int32_t> ranks; ///< of each pair, in HeldOut's order, from 1 on; 0: the item is not among those ranked
};

/// `ranked`: heldOut.queries.size() x width item rows, best first, -1 after the last. Nothing follows rank `width`.
/// Figures over nothing (no queries, no head pairs) are 0.
Ranking rankingFigures(const HeldOut &heldOut, std::span<const int32_t> ranked, int64_t width,
                       std::span<const uint8_t> head, std::span<const int64_t> ks);

/// Writes the rows of the best `best.size()` of `scores` to `best`, falling, ties by row number; rows in `exclude`
/// (rising) are left out; -1 where too few are left.
void bestRows(std::span<const float> scores, std::span<const int32_t> exclude, std::span<int32_t> best);

} // namespace tower::rt

#endif // TOWER_RUNTIME_RANKING_H
