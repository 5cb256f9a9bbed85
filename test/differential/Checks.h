// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is checked of a generated model. Each check adds what disagreed to `failures`.
#ifndef TEST_DIFFERENTIAL_CHECKS_H
#define TEST_DIFFERENTIAL_CHECKS_H

#include "test/differential/TestModel.h"

namespace tower::differential {

/// Gradients of the differentiated step, in the oracle, against central differences of the oracle's loss; every kind of
/// differentiable op in it alone.
void checkAdjoints(TestModel &model, Coverage &coverage, Failures &failures);

/// Passes that stay in tower dataflow leave all results as they were; so does printing and parsing.
void checkPasses(TestModel &model, Coverage &coverage, Failures &failures);

/// Machine code, each step from the oracle's values: losses, parameters and slots agree; embeddings and best items too;
/// one thread and two give the same bits; nothing is read from the arena before it is written.
void checkCompiled(TestModel &model, Coverage &coverage, Failures &failures);

/// The same for a GPU's kernels, on a simulated device; in any order of threads and blocks the same bits.
void checkKernels(TestModel &model, Coverage &coverage, Failures &failures);

/// Counts situations that random data should bring about: repeated items, missing values, ...
void countCases(TestModel &model, const oracle::Environment &values, Coverage &coverage);

} // namespace tower::differential

#endif
