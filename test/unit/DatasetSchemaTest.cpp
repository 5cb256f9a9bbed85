// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A spec against a dataset's schema: what it takes from there, and every disagreement.
#include "frontend/DatasetSchema.h"
#include "test/unit/SpecFixture.h"

#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace tower;
using namespace tower::spec;
using namespace tower::test;

namespace {

const char *const openSpec = R"(name: "shop"
tables { name: "section" dim: 4 }
tables { name: "word" dim: 8 }
entities {
  name: "item"
  features { name: "section" single {} }
  features { name: "words" multi { table: "word" } }
  features { name: "synopsis" column: "text" multi { table: "word" max_values: 12 } }
  features { name: "place" dense {} }
}
towers {
  name: "item" entity: "item"
  layers { units: 8 }
}
losses { in_batch_softmax { query: "item" item: "item" } }
losses { contrastive { tower: "item" augmentation { mask: RANDOM } } }
training { batch: 64 }
)";

const char *const schemaText = R"(
vocabularies { name: "section" rows: 59 }
vocabularies { name: "word" rows: 8000 }
vocabularies { name: "other" rows: 7 }
entities {
  name: "item" rows: 500
  columns { name: "section" kind: SINGLE vocabulary: "section" }
  columns { name: "words" kind: MULTI vocabulary: "word" longest: 9 total: 1500 }
  columns { name: "text" kind: MULTI vocabulary: "word" longest: 12 total: 3000 }
  columns { name: "place" kind: DENSE width: 3 }
}
entities { name: "user" rows: 5 }
pairs { split: "train" rows: 1000 }
query_entity: "item"
item_entity: "item"
)";

class DatasetSchema : public testing::Test {
protected:
  void SetUp() override {
    std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    folder = std::filesystem::path(testing::TempDir()) / ("towerc-" + std::to_string(getpid()) + "-" + name);
    std::filesystem::create_directories(folder);
    schema = (folder / "schema.txtpb").string();
    write(schemaText);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  void write(const std::string &text) { std::ofstream(schema) << text; }
  SpecOptions options() const { return {{}, folder.string()}; }

  /// The spec, or the schema, after one replacement gives one error at `at`; SCHEMA stands for the schema's file.
  void expectSpecError(const std::string &from, const std::string &to, const std::string &at, std::string message,
                       const std::string &after = "") {
    SCOPED_TRACE(to);
    expect(replaced(openSpec, from, to), at, message, after);
  }
  void expectSchemaError(const std::string &from, const std::string &to, const std::string &at, std::string message,
                         const std::string &after = "") {
    SCOPED_TRACE(to);
    write(replaced(schemaText, from, to));
    expect(openSpec, at, message, after);
    write(schemaText);
  }
  void expect(const std::string &text, const std::string &at, std::string message, const std::string &after) {
    while (message.find("SCHEMA") != std::string::npos)
      message = replaced(message, "SCHEMA", schema);
    expectError(text, at, message, after, options());
  }

  std::filesystem::path folder;
  std::string schema;
};

} // namespace

TEST_F(DatasetSchema, GivesWhatTheSpecLeavesOpen) {
  Spec spec = read(openSpec, options());
  EXPECT_EQ(spec.model.tables(0).rows(), 59u);
  EXPECT_EQ(spec.model.tables(1).rows(), 8000u);
  const Entity &item = spec.model.entities(0);
  EXPECT_EQ(item.features(1).multi().max_values(), 9u);
  EXPECT_EQ(item.features(2).multi().max_values(), 12u);
  EXPECT_EQ(item.features(3).dense().width(), 3u);
  ASSERT_TRUE(spec.dataset);
  EXPECT_EQ(spec.dataset->entities(0).rows(), 500u);
}

TEST_F(DatasetSchema, SlackIsAllowed) {
  std::string text = replaced(openSpec, "name: \"section\" dim", "name: \"section\" rows: 100 dim");
  Spec spec = read(replaced(text, "max_values: 12", "max_values: 40"), options());
  EXPECT_EQ(spec.model.tables(0).rows(), 100u);
  EXPECT_EQ(spec.model.entities(0).features(2).multi().max_values(), 40u);
}

TEST_F(DatasetSchema, ATableThatNothingUsesHasOneRow) {
  std::string text = std::string(openSpec) + "tables { name: \"spare\" dim: 2 }\n";
  EXPECT_EQ(read(text, options()).model.tables(2).rows(), 1u);
}

TEST_F(DatasetSchema, NamesMustBeThere) {
  expectSchemaError("name: \"item\" rows", "name: \"items\" rows", "\"item\"\n",
                    "entities[0].name: there is no entity \"item\" in SCHEMA; did you mean \"items\"?");
  expectSchemaError("\"place\"", "\"plaice\"", "\"place\"",
                    "entities[0].features[3].name: entity \"item\" of SCHEMA has no column \"place\"; did you mean "
                    "\"plaice\"?");
  expectSpecError("\"text\"", "\"tex\"", "\"tex\"",
                  "entities[0].features[2].column: entity \"item\" of SCHEMA has no column \"tex\"; did you mean "
                  "\"text\"?");
  expectSchemaError(
      "vocabulary: \"section\"", "vocabulary: \"sections\"", "single",
      "entities[0].features[0].single.table: column \"section\" has vocabulary \"sections\", which SCHEMA "
      "does not list; import the data again");
}

TEST_F(DatasetSchema, KindsMustAgree) {
  expectSpecError("multi { table: \"word\" }", "single { table: \"word\" }", "single { table",
                  "entities[0].features[1].single: column \"words\" of SCHEMA is multi, the feature is single");
  expectSpecError("\"section\" single {}", "\"section\" dense {}", "dense",
                  "entities[0].features[0].dense: column \"section\" of SCHEMA is single, the feature is dense");
  expectSpecError("dense {}", "dense { width: 2 }", "2 }",
                  "entities[0].features[3].dense.width: found 2; column \"place\" of SCHEMA has width 3", "width");
}

TEST_F(DatasetSchema, CapacitiesMustSuffice) {
  expectSpecError("name: \"word\" dim", "name: \"word\" rows: 7999 dim", "7999",
                  "tables[1].rows: found 7999; vocabulary \"word\" has 8000 rows");
  expectSpecError(
      "max_values: 12", "max_values: 11", "11",
      "entities[0].features[2].multi.max_values: found 11; the longest row of column \"text\" has 12 values");
}

TEST_F(DatasetSchema, ASharedTableHasOneVocabulary) {
  expectSchemaError(
      "\"text\" kind: MULTI vocabulary: \"word\"", "\"text\" kind: MULTI vocabulary: \"other\"", "\"word\" max_values",
      "entities[0].features[2].multi.table: shares table \"word\" with entities[0].features[1].multi.table, "
      "but column \"text\" has vocabulary \"other\" and that one \"word\"; give them tables of their own, or "
      "import both columns with one vocabulary");
}

TEST_F(DatasetSchema, PairsMustFit) {
  expectSchemaError("query_entity: \"item\"", "query_entity: \"user\"", "\"item\" item",
                    "losses[0].in_batch_softmax.query: is a tower over entity \"item\"; the queries of the pairs of "
                    "SCHEMA are of entity \"user\"");
  expectSchemaError(
      "item_entity: \"item\"", "item_entity: \"user\"", "\"item\" }",
      "losses[0].in_batch_softmax.item: is a tower over entity \"item\"; the items of the pairs of SCHEMA "
      "are of entity \"user\"",
      "query: \"item\" item");
  expectSpecError(
      "item: \"item\" }", "item: \"item\" pair_weights: FROM_DATA }", "FROM_DATA",
      "losses[0].in_batch_softmax.pair_weights: found FROM_DATA; the training pairs of SCHEMA have no weights");
  expectSpecError("batch: 64", "batch: 1001", "1001",
                  "training.batch: a batch is 1001 pairs, and SCHEMA has 1000 for training");
  expectSpecError("batch: 64", "batch: 64 validation { patience: 2 }", "2 }",
                  "training.validation.patience: found 2; SCHEMA has no validation pairs", "patience");
}

TEST_F(DatasetSchema, CorrelatedMasksNeedMutualInformation) {
  expectSpecError("mask: RANDOM", "mask: CORRELATED", "CORRELATED",
                  "losses[1].contrastive.augmentation.mask: found CORRELATED, which needs the mutual information of "
                  "features in " +
                      (folder / "item" / "mi.json").string() + "; run `towerc data mi " + folder.string() + "` first");
  std::filesystem::create_directories(folder / "item");
  std::ofstream(folder / "item" / "mi.json") << "{}";
  EXPECT_EQ(problems(replaced(openSpec, "mask: RANDOM", "mask: CORRELATED"), options()), "");
}

TEST_F(DatasetSchema, TheSchemaItselfIsChecked) {
  write(replaced(schemaText, "rows: 59", "rows: many"));
  EXPECT_EQ(problems(openSpec, options()), schema + ":2:38: error: vocabularies[0].rows: found many; allowed: a whole "
                                                    "number from 0 to 4294967295\n");
  std::filesystem::remove(schema);
  EXPECT_EQ(problems(openSpec, options()),
            schema + ": error: is not there; --data names a folder made by `towerc data import`\n");
}
