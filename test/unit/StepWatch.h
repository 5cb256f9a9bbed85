// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a training step must not do: allocate memory, or call the system.
#ifndef TOWER_TEST_UNIT_STEPWATCH_H
#define TOWER_TEST_UNIT_STEPWATCH_H

#include <cstdint>
#include <string>

namespace tower::test {

/// Calls of `operator new` (of malloc too under a sanitizer) so far, by all threads.
int64_t allocationCount();

/// From here on a system call by any thread ends the process with code 3 and says its number on standard error; but the
/// process may end, threads may begin, read a clock (where that is a system call) and, if allowed, wait in futexes. No
/// privileges needed (a seccomp filter). False if the system has no such filters.
bool forbidSystemCalls(bool exceptFutexes);

/// A line on standard error, after forbidSystemCalls() too.
void report(const std::string &line);

} // namespace tower::test
#endif
