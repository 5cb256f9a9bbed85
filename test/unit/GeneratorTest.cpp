// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Generated models and data are ones that the reader and the runtime accept.

#include "test/oracle/Generator.h"
#include "frontend/ModelReader.h"
#include "runtime/Dataset.h"

#include <filesystem>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <sstream>

using namespace tower;
using namespace tower::oracle;

namespace {

std::string emptyFolder(const std::string &name) {
  std::string folder = testing::TempDir() + "tower-generator-" + std::to_string(getpid()) + "-" + name;
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder;
}

std::string textOf(const spec::Model &model) {
  std::string text;
  google::protobuf::TextFormat::PrintToString(model, &text);
  return text;
}

TEST(Generator, ModelsAndDataAreAccepted) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    std::string folder = emptyFolder("accepted");
    Dice dice(seed);
    data::Dataset data = generateData(dice, folder);
    spec::Model model = generateModel(dice, data);
    SpecDiagnostics diagnostics;
    std::optional<Spec> spec = readSpecText("generated.txtpb", textOf(model), {{}, folder}, diagnostics);
    std::ostringstream message;
    diagnostics.print(message);
    EXPECT_TRUE(spec.has_value()) << "seed " << seed << "\n" << message.str();
    try {
      rt::Dataset opened(folder);
      EXPECT_EQ(opened.pairs("train").size(), data.pairs(0).rows());
    } catch (const std::exception &error) {
      ADD_FAILURE() << "seed " << seed << ": " << error.what();
    }
    std::filesystem::remove_all(folder);
  }
}

TEST(Generator, TheSameSeedGivesTheSameModelAndData) {
  std::string texts[2], prints[2];
  for (int run : {0, 1}) {
    std::string folder = emptyFolder("same");
    Dice dice(17);
    data::Dataset data = generateData(dice, folder);
    texts[run] = textOf(generateModel(dice, data));
    prints[run] = rt::Dataset(folder).fingerprint();
    std::filesystem::remove_all(folder);
  }
  EXPECT_EQ(texts[0], texts[1]);
  EXPECT_EQ(prints[0], prints[1]);
}

} // namespace
