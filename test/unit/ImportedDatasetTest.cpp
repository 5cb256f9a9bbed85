// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What `towerc data` writes, the runtime reads.
#include "frontend/DataMain.h"
#include "runtime/Dataset.h"
#include "test/unit/TemporaryFolder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

using namespace tower;
using testing::ElementsAre;

namespace {

constexpr char schema[] = R"(
entities {
  name: "app" file: "apps.tsv" key: "id"
  columns { name: "kind" single {} }
  columns { name: "words" multi { separator: "," } }
  columns { name: "size" dense {} }
}
pairs {
  file: "pairs.tsv" query: "from" item: "to" query_entity: "app" item_entity: "app" weight: "stars" time: "day"
  split { column: "part" }
}
)";
constexpr char apps[] = "id\tkind\twords\tsize\n"
                        "vim\teditor\ttext,fast\t1\n"
                        "nano\teditor\ttext\t2\n"
                        "gcc\t\t\t30\n";
constexpr char pairs[] = "from\tto\tstars\tday\tpart\n"
                         "vim\tgcc\t2\t100\ttrain\n"
                         "nano\tgcc\t1\t200\ttrain\n"
                         "gcc\tvim\t0.5\t300\ttest\n";

int runData(std::vector<std::string> words) {
  words.insert(words.begin(), "data");
  std::vector<char *> arguments;
  for (std::string &word : words)
    arguments.push_back(word.data());
  testing::internal::CaptureStdout();
  int code = dataMain(static_cast<int>(arguments.size()), arguments.data());
  testing::internal::GetCapturedStdout();
  return code;
}

} // namespace

TEST(ImportedDataset, IsWhatTheRuntimeReads) {
  test::TemporaryFolder folder;
  folder.write("apps.tsv", apps);
  folder.write("pairs.tsv", pairs);
  ASSERT_EQ(runData({"import", folder.write("schema.txtpb", schema), "--out", folder.path("data")}), 0);
  ASSERT_EQ(runData({"mi", folder.path("data")}), 0);

  rt::Dataset data(folder.path("data"));
  const rt::Entity &app = data.entity(data.itemEntity());
  ASSERT_EQ(app.rows, 3);
  EXPECT_THAT(app.find("kind")->ids, ElementsAre(1, 1, 0));
  const rt::Lines &words = data.vocabulary(app.find("words")->vocabulary);
  EXPECT_EQ(words[app.find("words")->row(1)[0]], "text");
  EXPECT_EQ(app.find("words")->row(0).size(), 2u);
  EXPECT_EQ(app.find("words")->row(2).size(), 0u);
  EXPECT_EQ(app.find("words")->longest, 2);
  EXPECT_THAT(app.find("size")->numbers, ElementsAre(1, 2, 30));
  EXPECT_EQ(data.keys("app").find("nano"), 1);
  EXPECT_THAT(data.pairs("train").query, ElementsAre(0, 1));
  EXPECT_THAT(data.pairs("train").item, ElementsAre(2, 2));
  EXPECT_THAT(data.pairs("train").weight, ElementsAre(2, 1));
  EXPECT_THAT(data.pairs("test").time, ElementsAre(300));
  EXPECT_EQ(data.findPairs("validation")->size(), 0);
  rt::MutualInformation mi = data.mutualInformation("app");
  EXPECT_THAT(mi.features, ElementsAre("kind", "words", "size"));
  EXPECT_EQ(mi.corrected.size(), 9u);
}
