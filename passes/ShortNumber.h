// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef TOWER_PASSES_SHORTNUMBER_H
#define TOWER_PASSES_SHORTNUMBER_H

#include <string>

namespace tower {

/// "12.3 M" of 12345678.
std::string shortNumber(double number);

} // namespace tower

#endif
