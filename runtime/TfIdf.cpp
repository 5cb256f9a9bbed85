// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// TF-IDF vectors and their inverted index.
#include "runtime/TfIdf.h"

#include <algorithm>
#include <cmath>

namespace tower::rt {

TfIdf::TfIdf(const TermLists &documents, int64_t terms) : idf(terms, 0.0), offsets(terms + 1, 0) {
  std::vector<int64_t> last(terms, -1);
  for (int64_t document = 0; document < documents.size(); ++document)
    for (int32_t term : documents[document])
      if (last[term] != document) {
        last[term] = document;
        ++offsets[term + 1];
      }
  for (int64_t term = 0; term < terms; ++term) {
    idf[term] = 1 + std::log((1.0 + documents.size()) / (1.0 + offsets[term + 1]));
    offsets[term + 1] += offsets[term];
  }
  postings.resize(offsets.back());
  std::vector<int64_t> next(offsets.begin(), offsets.end() - 1);
  for (int64_t document = 0; document < documents.size(); ++document)
    for (auto [term, weight] : weigh(documents[document]))
      postings[next[term]++] = {static_cast<int32_t>(document), weight};
}

std::vector<std::pair<int32_t, float>> TfIdf::weigh(std::span<const int32_t> terms) const {
  std::vector<int32_t> sorted(terms.begin(), terms.end());
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::pair<int32_t, double>> weights;
  double squares = 0;
  for (size_t i = 0; i < sorted.size();) {
    size_t j = i;
    while (j < sorted.size() && sorted[j] == sorted[i])
      ++j;
    double weight = static_cast<double>(j - i) * idf[sorted[i]];
    squares += weight * weight;
    weights.emplace_back(sorted[i], weight);
    i = j;
  }
  std::vector<std::pair<int32_t, float>> result;
  for (auto [term, weight] : weights)
    result.emplace_back(term, static_cast<float>(weight / std::sqrt(squares)));
  return result;
}

void TfIdf::score(std::span<const int32_t> query, std::span<float> scores) const {
  std::fill(scores.begin(), scores.end(), 0.0f);
  for (auto [term, weight] : weigh(query))
    for (int64_t i = offsets[term]; i < offsets[term + 1]; ++i)
      scores[postings[i].first] += weight * postings[i].second;
}

} // namespace tower::rt
