// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Texts of system errors.
#include "runtime/Error.h"

#include <cstring>

using namespace tower::rt;

std::string tower::rt::errnoText(int code) { return std::strerror(code); }
