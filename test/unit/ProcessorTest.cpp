// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/Processor.h"
#include "runtime/Error.h"
#include "runtime/tower_abi.h"
#include "test/unit/RuntimeFixture.h"

#include <gmock/gmock.h>

using namespace tower::rt;
using namespace tower::test;
using testing::HasSubstr;

namespace {

Manifest forBoth() {
  Manifest manifest;
  manifest.name = "debian";
  manifest.targets = {{"x86-64-v4", {"avx2", "fma", "avx512f", "avx512bw"}}, {"x86-64-v3", {"avx2", "fma"}}};
  return manifest;
}

bool none(std::string_view) { return false; }
bool all(std::string_view) { return true; }
bool allButAvx512(std::string_view feature) { return !feature.starts_with("avx512"); }

TEST(Processor, TheFirstTargetThatItCanRunIsTaken) {
  EXPECT_EQ(chooseTarget(forBoth(), all, {}), 0u);
  EXPECT_EQ(chooseTarget(forBoth(), allButAvx512, {}), 1u);
}

TEST(Processor, AWishDecides) {
  EXPECT_EQ(chooseTarget(forBoth(), all, "x86-64-v3"), 1u);
  EXPECT_EQ(chooseTarget(forBoth(), all, "x86-64-v4"), 0u);
}

TEST(Processor, OneThatLacksWhatAllTargetsNeedIsRefused) {
  EXPECT_EQ(messageOf([] { chooseTarget(forBoth(), none, {}); }),
            "'debian' was compiled for x86-64-v3, but this machine's processor lacks avx2, fma; compile it with towerc "
            "--cpu=multi, for any processor with AVX2, or on this machine");
  EXPECT_THAT(messageOf([] { chooseTarget(forBoth(), allButAvx512, "x86-64-v4"); }),
              HasSubstr("compiled for x86-64-v4, but this machine's processor lacks avx512f, avx512bw;"));
  EXPECT_EQ(messageOf([] { chooseTarget(forBoth(), all, "z80"); }),
            "TOWER_CPU is 'z80', but 'debian' was compiled for x86-64-v4, x86-64-v3");
}

TEST(Processor, OfManyFeaturesSomeAreNamed) {
  Manifest manifest = forBoth();
  manifest.targets = {{"future", {"a", "b", "c", "d", "e"}}};
  EXPECT_THAT(messageOf([&] { chooseTarget(manifest, none, {}); }), HasSubstr("lacks a, b, c and 2 more;"));
}

TEST(Processor, UnknownFeaturesAreMissing) { EXPECT_FALSE(processorHas("telepathy")); }

#if defined(__x86_64__)
TEST(Processor, FeaturesAreThoseOfThisMachine) {
  EXPECT_EQ(processorHas("avx2"), __builtin_cpu_supports("avx2") != 0);
  EXPECT_EQ(processorHas("avx512f"), __builtin_cpu_supports("avx512f") != 0);
  EXPECT_EQ(processorHas("avx512fp16"), __builtin_cpu_supports("avx512fp16") != 0);
}
#endif

} // namespace
