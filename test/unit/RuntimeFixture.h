// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What tests of the runtime share: a small dataset in a folder, and a hand-written program over that
// data.
#ifndef TOWER_TEST_RUNTIMEFIXTURE_H
#define TOWER_TEST_RUNTIMEFIXTURE_H

#include "runtime/Json.h"
#include "runtime/tower_abi.h"
#include "test/unit/TemporaryFolder.h"

#include <functional>
#include <string>
#include <string_view>

namespace tower::test {

void writeText(const std::string &path, std::string_view text);

/// Writes a dataset into `folder`. Entity `item` has 4 rows (keys a, b, c, d): `color` single [1, 2, 0, 1] of a
/// vocabulary with 3 rows, `words` multi [[1, 2], [], [3], [2, 3, 1]] of one with 4, `size` dense of width 1 [0, 1, 2,
/// 3]. Pairs (query and item are both `item`): train [(0, 1), (1, 2), (2, 1), (3, 1), (0, 2)] with weights 1..5, test
/// [(3, 0)].
void writeDataset(const TemporaryFolder &folder);
/// Mutual information of color, words and size: color-words 0.5, color-size 0.7, words-size 0.1; corrected: color-size
/// 0.2.
void writeMutualInformation(const TemporaryFolder &folder);

/// The manifest of the fake program, to be changed by a test.
rt::Json fakeManifest();

/// Entry points that hand each call to these functions, in order: train_step, embed_queries, embed_items, score.
extern std::function<int32_t(const tower_call &)> fakeEntries[4];

/// A program with this manifest (its text must outlive it) and the fake entry points.
tower_program_v1 fakeProgram(const std::string &manifest);

/// The message of the Error that `function` throws; "" if it throws none.
std::string messageOf(const std::function<void()> &function);

} // namespace tower::test
#endif
