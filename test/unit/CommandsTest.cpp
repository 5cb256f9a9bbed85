// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The executable as a user meets it: help, wrong commands and flags, recommend, embed, info; and what it links.
#include "runtime/Npy.h"
#include "test/unit/FakeData.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <set>
#include <sstream>

using namespace tower::test;
using namespace tower::rt;

namespace {
/// A folder with data and a model that was trained on it.
class Commands : public ::testing::Test {
protected:
  Commands() : data(folder / "data"), checkpoint(folder / "m.safetensors") {
    FakeData().write(data);
    Outcome trained = runFake({"train", "--data", data, "--checkpoint", checkpoint, "--steps", "30", "--quiet"});
    EXPECT_EQ(trained.code, 0) << trained.err;
  }
  Outcome run(std::vector<std::string> arguments, const std::string &input = "") {
    arguments.insert(arguments.begin() + 1, {"--data", data, "--checkpoint", checkpoint});
    return runFake(arguments, input);
  }
  /// Every item's row and its score for `query`, best first, from what `embed` writes.
  std::vector<std::pair<float, int>> ranked(int query) {
    for (const char *side : {"queries", "items"}) {
      Outcome outcome = run({"embed", "--side", side, "--out", folder / (std::string(side) + ".npy")});
      EXPECT_EQ(outcome.code, 0) << outcome.err;
    }
    NpyFile queries(folder / "queries.npy"), items(folder / "items.npy");
    auto q = queries.as<float>({120, 4}).subspan(4 * query, 4), x = items.as<float>({120, 4});
    std::vector<std::pair<float, int>> scores;
    for (int item = 0; item < 120; ++item) {
      float score = 0;
      for (int d = 0; d < 4; ++d)
        score += q[d] * x[4 * item + d];
      scores.emplace_back(score, item);
    }
    std::sort(scores.begin(), scores.end(),
              [](auto a, auto b) { return a.first > b.first || (a.first == b.first && a.second < b.second); });
    return scores;
  }

  TemporaryFolder folder;
  std::string data, checkpoint;
};

/// Names in the output of `recommend --json`.
std::vector<std::string> names(const std::string &line) {
  std::vector<std::string> result;
  auto json = nlohmann::json::parse(line);
  for (const auto &item : json["items"])
    result.push_back(item["name"]);
  return result;
}
} // namespace

TEST_F(Commands, RecommendFindsTheBestAndLeavesTheQueryOut) {
  std::vector<std::string> expected, withSelf;
  for (auto [score, item] : ranked(3)) {
    withSelf.push_back("thing-" + std::to_string(item));
    if (item != 3)
      expected.push_back(withSelf.back());
  }
  Outcome outcome = run({"recommend", "--query", "thing-3", "-k", "119", "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(names(outcome.out), expected);
  // More than there are: all of them, and no more.
  EXPECT_EQ(names(run({"recommend", "--query", "thing-3", "-k", "500", "--json"}).out), expected);
  EXPECT_EQ(names(run({"recommend", "--query", "thing-3", "-k", "500", "--json", "--keep-self"}).out), withSelf);
  std::vector<std::string> untrained =
      names(run({"recommend", "--query=thing-3", "-k=500", "--json", "--exclude-train"}).out);
  expected.erase(std::remove_if(expected.begin(), expected.end(),
                                [](const std::string &name) {
                                  return name == "thing-4" || name == "thing-5" || name == "thing-7";
                                }),
                 expected.end());
  EXPECT_EQ(untrained, expected);
}

TEST_F(Commands, RecommendPrintsRankNameAndScore) {
  Outcome outcome = run({"recommend", "--query", "thing-3", "-k", "2"});
  std::istringstream lines(outcome.out);
  int rank;
  std::string name;
  float score, before;
  lines >> rank >> name >> before;
  EXPECT_EQ(rank, 1);
  lines >> rank >> name >> score;
  EXPECT_EQ(rank, 2);
  EXPECT_LE(score, before);
  EXPECT_FALSE(lines >> name);
}

TEST_F(Commands, RecommendAnswersStandardInputLineByLine) {
  Outcome outcome = run({"recommend", "-k", "1", "--json"}, "thing-3\n\nthing-x\nthing-4\r\n");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 2);
  EXPECT_NE(outcome.err.find("there is no thing 'thing-x' in '" + data +
                             "'. Did you mean 'thing-0', 'thing-1' or 'thing-2'?"),
            std::string::npos)
      << outcome.err;
}

TEST_F(Commands, RecommendNamesTheNearestOfAnUnknownQuery) {
  Outcome outcome = run({"recommend", "--query", "thng-17"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_TRUE(outcome.err.starts_with("fake recommend: error: there is no thing 'thng-17' in '" + data +
                                      "'. Did you mean 'thing-17', 'thing-1"))
      << outcome.err;
  EXPECT_EQ(outcome.out, "");
}

TEST_F(Commands, EmbedRefusesAFolderThatIsNotThere) {
  Outcome outcome = run({"embed", "--side", "items", "--out", folder / "none/items.npy"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("none/items.npy"), std::string::npos) << outcome.err;
}

TEST_F(Commands, InfoShowsModelMemoryAndCheckpoint) {
  Outcome outcome = runFake({"info", "--checkpoint", checkpoint});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  for (const char *line :
       {"fake, compiled by towerc 0.1.0 for x86_64-pc-linux-gnu (generic)\n", "queries: tower 'asks' over 'thing'\n",
        "embeddings: 4 wide, scored by dot product\n", "  main: in_batch_softmax, weight 1\n",
        "tensors: 1,024 parameters, 6,144 bytes in all\n", "  table/item/adagrad: slot [128, 4]\n",
        "  train_step: 256\n", "  batch 8, 5 epochs, seed 1, rates cosine to 0.1 after 3 steps of warm-up\n",
        "  step 30, seed 1, best validation recall@50 ", "  fits this model\n"})
    EXPECT_NE(outcome.out.find(line), std::string::npos) << line << "\n" << outcome.out;
  auto json = nlohmann::json::parse(runFake({"info", "--json", "--checkpoint", checkpoint}).out);
  EXPECT_EQ(json["entries"][0]["arena_bytes"], 256);
  EXPECT_EQ(json["checkpoint"]["step"], 30);
  EXPECT_EQ(runFake({"info", "--spec"}).out, "name: \"fake\"\n");
}

TEST(Executable, HelpForEveryCommand) {
  Outcome general = runFake({"--help"});
  EXPECT_EQ(general.code, 0);
  for (const char *command : {"train", "evaluate", "recommend", "embed", "info"}) {
    EXPECT_NE(general.out.find(std::string("\n  ") + command), std::string::npos);
    Outcome outcome = runFake({command, "--help"});
    EXPECT_EQ(outcome.code, 0);
    EXPECT_NE(outcome.out.find(std::string("Usage: fake ") + command), std::string::npos);
  }
  EXPECT_EQ(runFake({"--version"}).out, "fake, compiled by towerc 0.1.0 for x86_64-pc-linux-gnu (generic)\n");
}

TEST(Executable, WrongUseEndsWithTwo) {
  EXPECT_EQ(runFake({}).code, 2);
  Outcome command = runFake({"trian"});
  EXPECT_EQ(command.code, 2);
  EXPECT_EQ(command.err,
            "fake: error: unknown command 'trian'. Did you mean 'train'? 'fake --help' lists all commands\n");
  Outcome flag = runFake({"train", "--data", "d", "--chekpoint", "c"});
  EXPECT_EQ(flag.code, 2);
  EXPECT_EQ(flag.err, "fake: error: unknown flag '--chekpoint'. Did you mean '--checkpoint'? 'fake train --help' lists "
                      "all flags\n");
  EXPECT_EQ(runFake({"evaluate", "--data", "d"}).code, 2);
  EXPECT_EQ(runFake({"train", "--data", "d", "--checkpoint", "c", "--epochs", "1", "--steps", "1"}).code, 2);
  EXPECT_EQ(runFake({"train", "--data", "d", "--checkpoint", "c", "--accept-other-data"}).code, 2);
  EXPECT_EQ(runFake({"train", "--data", "d", "--checkpoint", "c", "--resume", "--overwrite"}).code, 2);
}

TEST(Executable, WhatIsMissingIsNamed) {
  TemporaryFolder folder;
  Outcome outcome = runFake({"train", "--data", folder / "none", "--checkpoint", folder / "m.safetensors"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find(folder / "none"), std::string::npos) << outcome.err;
  FakeData().write(folder / "data");
  outcome = runFake({"evaluate", "--data", folder / "data", "--checkpoint", folder / "m.safetensors"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find(folder / "m.safetensors"), std::string::npos) << outcome.err;
}

// Decision: an executable runs on any machine with a C++ library. Sanitizers add libraries of their own.
#if !defined(__SANITIZE_ADDRESS__)
TEST(Executable, LinksTheLanguagesLibrariesOnly) {
  std::FILE *pipe = popen("ldd '" FAKE_TOWER "'", "r");
  ASSERT_TRUE(pipe);
  std::string text(4096, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), pipe));
  EXPECT_EQ(pclose(pipe), 0);
  std::set<std::string> libraries;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::string name = line.substr(line.find_first_not_of(" \t"));
    name = name.substr(0, name.find(' '));
    name = name.substr(name.rfind('/') + 1);
    libraries.insert(name.substr(0, name.find(".so")));
  }
  for (const char *allowed :
       {"linux-vdso", "libc", "libm", "libstdc++", "libgcc_s", "ld-linux-x86-64", "ld-linux-aarch64"})
    libraries.erase(allowed);
  EXPECT_TRUE(libraries.empty()) << text;
}
#endif
