// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ranking figures and the selection of the best rows.
#include "runtime/Ranking.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tower::rt {

HeldOut groupByQuery(std::span<const int32_t> queries, std::span<const int32_t> items) {
  std::vector<std::pair<int32_t, int32_t>> pairs(queries.size());
  for (size_t i = 0; i < pairs.size(); ++i)
    pairs[i] = {queries[i], items[i]};
  std::sort(pairs.begin(), pairs.end());
  pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
  HeldOut heldOut;
  for (size_t i = 0; i < pairs.size(); ++i) {
    heldOut.items.push_back(pairs[i].second);
    if (i + 1 == pairs.size() || pairs[i + 1].first != pairs[i].first) {
      heldOut.queries.push_back(pairs[i].first);
      heldOut.offsets.push_back(static_cast<int64_t>(heldOut.items.size()));
    }
  }
  return heldOut;
}

std::vector<int64_t> countRows(std::span<const int32_t> rows, int64_t total) {
  std::vector<int64_t> counts(total, 0);
  for (int32_t row : rows)
    ++counts[row];
  return counts;
}

std::vector<uint8_t> headItems(std::span<const int64_t> counts) {
  std::vector<int32_t> order(counts.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return counts[a] > counts[b]; });
  std::vector<uint8_t> head(counts.size(), 0);
  for (size_t i = 0; i < counts.size() / 100; ++i)
    head[order[i]] = 1;
  return head;
}

Ranking rankingFigures(const HeldOut &heldOut, std::span<const int32_t> ranked, int64_t width,
                       std::span<const uint8_t> head, std::span<const int64_t> ks) {
  Ranking ranking;
  ranking.queries = static_cast<int64_t>(heldOut.queries.size());
  ranking.pairs = static_cast<int64_t>(heldOut.items.size());
  for (int32_t item : heldOut.items)
    ++(head[item] ? ranking.headPairs : ranking.tailPairs);
  ranking.ranks.assign(heldOut.items.size(), 0);
  std::vector<uint8_t> isHit(ranked.size(), 0);
  for (int64_t query = 0; query < ranking.queries; ++query) {
    std::span<const int32_t> relevant = heldOut.relevant(query);
    for (int64_t rank = 1; rank <= width; ++rank) {
      int64_t place = query * width + rank - 1;
      auto found = std::lower_bound(relevant.begin(), relevant.end(), ranked[place]);
      if (found == relevant.end() || *found != ranked[place])
        continue;
      isHit[place] = 1;
      ranking.ranks[heldOut.offsets[query] + (found - relevant.begin())] = static_cast<int32_t>(rank);
    }
  }
  auto over = [](double sum, int64_t count) { return count ? sum / static_cast<double>(count) : 0.0; };
  for (int64_t k : ks) {
    RankingAt at;
    at.k = k;
    int64_t headHits = 0, tailHits = 0;
    for (int64_t query = 0; query < ranking.queries; ++query) {
      std::span<const int32_t> relevant = heldOut.relevant(query);
      int64_t hits = 0, most = std::min<int64_t>(k, relevant.size());
      double precisions = 0, gain = 0, bestGain = 0;
      for (int64_t rank = 1; rank <= std::max(most, std::min(k, width)); ++rank) {
        if (rank <= most)
          bestGain += 1 / std::log2(1.0 + rank);
        int64_t place = query * width + rank - 1;
        if (rank > width || !isHit[place])
          continue;
        ++hits;
        precisions += static_cast<double>(hits) / rank;
        gain += 1 / std::log2(1.0 + rank);
        ++(head[ranked[place]] ? headHits : tailHits);
      }
      at.recall += static_cast<double>(hits) / relevant.size();
      at.map += precisions / most;
      at.ndcg += gain / bestGain;
    }
    at.recall = over(at.recall, ranking.queries);
    at.map = over(at.map, ranking.queries);
    at.ndcg = over(at.ndcg, ranking.queries);
    at.headRecall = over(headHits, ranking.headPairs);
    at.tailRecall = over(tailHits, ranking.tailPairs);
    ranking.at.push_back(at);
  }
  return ranking;
}

void bestRows(std::span<const float> scores, std::span<const int32_t> exclude, std::span<int32_t> best) {
  std::fill(best.begin(), best.end(), -1);
  if (best.empty())
    return;
  auto better = [](const std::pair<float, int32_t> &a, const std::pair<float, int32_t> &b) {
    return a.first > b.first || (a.first == b.first && a.second < b.second);
  };
  // A heap whose top is the worst of the kept rows. Rows come in rising order, so an equal score never displaces one.
  std::vector<std::pair<float, int32_t>> kept;
  kept.reserve(best.size() + 1);
  size_t excluded = 0;
  for (size_t row = 0; row < scores.size(); ++row) {
    if (kept.size() == best.size() && !(scores[row] > kept.front().first))
      continue;
    while (excluded < exclude.size() && exclude[excluded] < static_cast<int32_t>(row))
      ++excluded;
    if (excluded < exclude.size() && exclude[excluded] == static_cast<int32_t>(row))
      continue;
    kept.emplace_back(scores[row], static_cast<int32_t>(row));
    std::push_heap(kept.begin(), kept.end(), better);
    if (kept.size() > best.size()) {
      std::pop_heap(kept.begin(), kept.end(), better);
      kept.pop_back();
    }
  }
  std::sort_heap(kept.begin(), kept.end(), better);
  for (size_t i = 0; i < kept.size(); ++i)
    best[i] = kept[i].second;
}

} // namespace tower::rt
