// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The one way in which the runtime reports a failure: an Error with a finished message (what, where, what to do). It is
// caught at the borders (main and the C interface of tower.h) and never leaves them.
#ifndef TOWER_RUNTIME_ERROR_H
#define TOWER_RUNTIME_ERROR_H

#include <stdexcept>
#include <string>

namespace tower::rt {

class Error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// The text of errno's value `code`, for messages.
std::string errnoText(int code);

} // namespace tower::rt
#endif
