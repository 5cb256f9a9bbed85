// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Content similarity without learning: cosine of TF-IDF vectors, through an inverted index.
#ifndef TOWER_RUNTIME_TFIDF_H
#define TOWER_RUNTIME_TFIDF_H

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace tower::rt {

/// The terms of each document, in any order; a term that occurs twice is there twice.
struct TermLists {
  std::vector<int64_t> offsets{0}; ///< documents + 1
  std::vector<int32_t> terms;

  int64_t size() const { return static_cast<int64_t>(offsets.size()) - 1; }
  std::span<const int32_t> operator[](int64_t i) const {
    return {terms.data() + offsets[i], static_cast<size_t>(offsets[i + 1] - offsets[i])};
  }
};

/// A document's vector has, for each of its terms, count * (1 + log((1 + documents) / (1 + documents with the term))),
/// and length 1.
class TfIdf {
public:
  /// Indexes `documents`, whose terms lie in [0, terms).
  TfIdf(const TermLists &documents, int64_t terms);

  /// scores[i] = cosine of `query` and document i; 0 where either has no terms. Same bits whoever calls it.
  void score(std::span<const int32_t> query, std::span<float> scores) const;

private:
  std::vector<std::pair<int32_t, float>> weigh(std::span<const int32_t> terms) const;

  std::vector<double> idf;
  std::vector<int64_t> offsets; ///< term t has postings [offsets[t], offsets[t + 1]), by document
  std::vector<std::pair<int32_t, float>> postings;
};

} // namespace tower::rt

#endif // TOWER_RUNTIME_TFIDF_H
