// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/Processor.h"

#include "runtime/Error.h"
#include "runtime/tower_abi.h"

#include <cstdlib>

namespace tower::rt {
namespace {

/// So many missing features are named.
constexpr size_t shown = 3;

/// What the target needs and the processor has not, as in "avx2, fma"; empty if it can run.
std::string missing(const TargetInfo &target, bool (*has)(std::string_view)) {
  std::string names;
  size_t count = 0;
  for (const std::string &feature : target.features)
    if (!has(feature) && ++count <= shown)
      names += (count > 1 ? ", " : "") + feature;
  return count > shown ? names + " and " + std::to_string(count - shown) + " more" : names;
}

std::string cpus(const Manifest &manifest) {
  std::string names;
  for (const TargetInfo &target : manifest.targets)
    names += (names.empty() ? "" : ", ") + target.cpu;
  return names;
}

[[noreturn]] void refuse(const Manifest &manifest, const TargetInfo &target, const std::string &lacks) {
  throw Error("'" + manifest.name + "' was compiled for " + target.cpu + ", but this machine's processor lacks " +
              lacks + "; compile it with towerc --cpu=multi, for any processor with AVX2, or on this machine");
}

} // namespace

bool processorHas(std::string_view feature) {
#if defined(__x86_64__)
#define TOWER_ASK(name)                                                                                                \
  if (feature == name)                                                                                                 \
    return __builtin_cpu_supports(name);
  TOWER_CPU_FEATURES(TOWER_ASK)
#undef TOWER_ASK
#endif
  return false;
}

size_t chooseTarget(const Manifest &manifest, bool (*has)(std::string_view), std::optional<std::string> wanted) {
  if (manifest.targets.empty())
    throw Error("'" + manifest.name + "' was compiled for a GPU only: run it with --device=cuda, or compile it with " +
                "towerc --target=both");
  for (size_t i = 0; i < manifest.targets.size(); ++i) {
    const TargetInfo &target = manifest.targets[i];
    if (wanted && target.cpu != *wanted)
      continue;
    std::string lacks = missing(target, has);
    if (lacks.empty())
      return i;
    // The last one asks for least.
    if (wanted || i + 1 == manifest.targets.size())
      refuse(manifest, target, lacks);
  }
  throw Error("TOWER_CPU is '" + wanted.value_or("") + "', but '" + manifest.name + "' was compiled for " +
              cpus(manifest));
}

size_t chooseTarget(const Manifest &manifest) {
  const char *wanted = std::getenv("TOWER_CPU");
  return chooseTarget(manifest, processorHas, wanted ? std::optional<std::string>(wanted) : std::nullopt);
}

} // namespace tower::rt
