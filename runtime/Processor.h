// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which of a program's targets this machine's processor can run.
#ifndef TOWER_RUNTIME_PROCESSOR_H
#define TOWER_RUNTIME_PROCESSOR_H

#include "runtime/Manifest.h"

#include <optional>
#include <string>
#include <string_view>

namespace tower::rt {

/// Whether this machine's processor has a feature, one of TOWER_CPU_FEATURES. It has none that this runtime does not
/// know.
bool processorHas(std::string_view feature);

/// The index in manifest.targets of the code to run: that which the environment variable TOWER_CPU names, else the
/// first whose features the processor has. Throws Error, which says what is missing, if there is none.
size_t chooseTarget(const Manifest &manifest);

/// The same for a processor and a wish of which a test thinks.
size_t chooseTarget(const Manifest &manifest, bool (*has)(std::string_view feature), std::optional<std::string> wanted);

} // namespace tower::rt
#endif
