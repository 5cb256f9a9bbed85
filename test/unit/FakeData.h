// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A small dataset for the hand-written model of FakeProgram.cpp, and a way to run its commands inside a test.
#ifndef TOWER_TEST_UNIT_FAKEDATA_H
#define TOWER_TEST_UNIT_FAKEDATA_H

#include "runtime/tower_abi.h"
#include "test/unit/TemporaryFolder.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace tower::test {

using PairList = std::vector<std::pair<int32_t, int32_t>>;

/// 120 things named "thing-0" ... "thing-119", each with an id and two tags, and pairs: thing q goes with q + 1, q + 2
/// and the popular thing 7. Every 5th query is held out for validation, every 5th + 1 for test.
struct FakeData {
  static constexpr int32_t things = 120;
  std::vector<std::vector<int32_t>> tags;
  PairList train, validation, test;

  FakeData();
  void write(const std::string &folder) const;
};

struct Outcome {
  int code;
  std::string out, err;
};

/// Runs "fake ARGUMENTS..." in this process.
Outcome runProgram(const tower_program_v1 &program, const std::vector<std::string> &arguments,
                   const std::string &input = "");
Outcome runFake(const std::vector<std::string> &arguments, const std::string &input = "");

} // namespace tower::test

#endif // TOWER_TEST_UNIT_FAKEDATA_H
