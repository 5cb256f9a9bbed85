// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What generated models must bring about, beside all that model.proto, the dialect and the pipelines list themselves.
#ifndef TEST_DIFFERENTIAL_EXPECTED_H
#define TEST_DIFFERENTIAL_EXPECTED_H

namespace tower::differential {

constexpr const char *expectedCases[] = {
    "a batch that is no multiple of 16",
    "a compiled step agrees with the oracle",
    "a missing value is looked up",
    "a row without values is pooled",
    "accidental hits are left out",
    "embeddings are masked",
    "equal queries of a softmax",
    "equal queries of a softmax, copies of positives left out",
    "features share a table",
    "gradients are clipped",
    "gradients are not clipped",
    "more columns than rows in a softmax",
    "numbers are masked",
    "positives of the same query are left out",
    "siamese towers",
    "three losses or more",
    "towers of 1 layers",
    "towers of 2 layers",
    "towers of 3 layers",
    "towers of 4 layers",
    "two towers",
    "values are dropped",
    "weight decay",
};

} // namespace tower::differential

#endif
