// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a schema and text files to a dataset's folder.
#include "frontend/DataMain.h"
#include "frontend/DatasetFolder.h"
#include "frontend/DatasetSchema.h"
#include "runtime/Npy.h"
#include "test/unit/TemporaryFolder.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <numeric>

using namespace tower;
using testing::ElementsAre;

namespace {

using Ids = std::vector<int32_t>;
using Messages = std::vector<std::string>;

constexpr char schema[] = R"(vocabularies { name: "word" min_count: 2 max_size: 3 }
entities {
  name: "app"
  file: "apps.tsv"
  key: "id"
  columns { name: "kind" single {} }
  columns { name: "words" multi { vocabulary: "word" separator: "," } }
  columns { name: "size" dense { width: 2 separator: ";" } }
}
entities { name: "user" file: "users.csv" key: "user" columns { name: "home" column: "country" single {} } }
pairs {
  file: "pairs.tsv"
  query: "user" item: "app" query_entity: "user" item_entity: "app"
  weight: "stars" time: "day"
  split { column: "part" }
}
)";
constexpr char apps[] = "id\tkind\twords\tsize\n"
                        "a\tgame\tx,y,x\t1;2\n"
                        "b\ttool\ty,,z\t3;4\n"
                        "c\t\t\t-5;0.5\n"
                        "d\tgame\trare\t1;1\n";
constexpr char users[] = "country,user\nNZ,u\n\"\",v\n";
constexpr char pairs[] = "user\tapp\tstars\tday\tpart\n"
                         "u\tb\t2\t100\ttrain\n"
                         "v\ta\t1\t200\tvalidation\n"
                         "u\td\t0.5\t300\ttest\n"
                         "u\tb\t1\t50\ttrain\n";

/// A folder with the files above, to be altered.
struct Files : test::TemporaryFolder {
  Files() {
    write("schema.txtpb", schema);
    write("apps.tsv", apps);
    write("users.csv", users);
    write("pairs.tsv", pairs);
  }

  std::optional<Imported> import(Messages &messages) const {
    DataErrors errors;
    SpecDiagnostics diagnostics;
    std::optional<Imported> imported;
    if (auto spec = readImportSpec(path("schema.txtpb"), diagnostics))
      imported = importTables(*spec, errors);
    messages = errors.all();
    EXPECT_EQ(diagnostics.numErrors(), 0);
    for (std::string &message : messages) // without the folder
      if (message.starts_with(path("")))
        message.erase(0, path("").size());
    EXPECT_EQ(imported.has_value(), messages.empty());
    return imported;
  }
  Messages errors() const {
    Messages messages;
    import(messages);
    return messages;
  }
  /// Replace `from` in a file; it must be there.
  void edit(const std::string &file, const std::string &from, const std::string &to) {
    std::string text = read(file);
    size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    write(file, text.replace(at, from.size(), to));
  }
};

/// What is wrong with a schema's text, by place.
Messages schemaErrors(const std::string &text) {
  SpecDiagnostics diagnostics;
  bool read = parseImportSpec("s.txtpb", text, diagnostics).has_value();
  Messages messages;
  for (const SpecDiagnostic &each : diagnostics.sorted())
    messages.push_back(each.position.str() + ": " + each.message);
  EXPECT_EQ(read, messages.empty());
  return messages;
}

int runData(std::vector<std::string> words, std::string &out, std::string &error) {
  std::vector<char *> arguments;
  words.insert(words.begin(), "data");
  for (std::string &word : words)
    arguments.push_back(word.data());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  int code = dataMain(static_cast<int>(arguments.size()), arguments.data());
  out = testing::internal::GetCapturedStdout();
  error = testing::internal::GetCapturedStderr();
  return code;
}

} // namespace

TEST(Import, ValuesGetTheirRows) {
  Files files;
  Messages messages;
  std::optional<Imported> imported = files.import(messages);
  ASSERT_TRUE(imported) << messages[0];
  const ImportedEntity &app = imported->entities[0];
  EXPECT_EQ(app.keys.size(), 4);
  EXPECT_EQ(app.keys[3], "d");
  EXPECT_EQ(app.columns[0].ids, (Ids{1, 2, 0, 1})); // game, tool, missing
  EXPECT_EQ(app.columns[0].missing, 1);
  // x and y are seen twice; z and rare once, and left out.
  EXPECT_EQ(app.columns[1].ids, (Ids{1, 2, 1, 2}));
  EXPECT_EQ(app.columns[1].offsets, (std::vector<int64_t>{0, 3, 4, 4, 4}));
  EXPECT_EQ(app.columns[1].info.longest(), 3u);
  EXPECT_EQ(app.columns[1].info.total(), 4);
  EXPECT_EQ(app.columns[1].missing, 2);
  EXPECT_EQ(app.columns[2].numbers, (std::vector<float>{1, 2, 3, 4, -5, 0.5, 1, 1}));
  EXPECT_EQ(imported->entities[1].columns[0].ids, (Ids{1, 0}));
  EXPECT_EQ(imported->vocabularies.at("word").rows(), 3u);
  EXPECT_EQ(imported->pairs[0].query, (Ids{0, 0}));
  EXPECT_EQ(imported->pairs[0].item, (Ids{1, 1}));
  EXPECT_EQ(imported->pairs[0].weight, (std::vector<float>{2, 1}));
  EXPECT_EQ(imported->pairs[1].query, (Ids{1}));
  EXPECT_EQ(imported->pairs[2].item, (Ids{3}));
  EXPECT_EQ(imported->pairs[2].time, (std::vector<double>{300}));
}

TEST(Import, AVocabularyIsSharedByColumns) {
  Files files;
  files.edit("schema.txtpb", "single {} }\n  columns", "single { vocabulary: \"word\" } }\n  columns");
  files.edit("apps.tsv", "b\ttool\ty", "b\tx\tx");
  Messages messages;
  std::optional<Imported> imported = files.import(messages);
  ASSERT_TRUE(imported) << messages[0];
  // x: 4 times; game: 2. y and the others once.
  EXPECT_EQ(imported->entities[0].columns[0].ids, (Ids{2, 1, 0, 2}));
  EXPECT_EQ(imported->entities[0].columns[1].ids, (Ids{1, 1, 1}));
}

TEST(Import, TimeSplitsPairs) {
  Files files;
  files.edit("schema.txtpb", "column: \"part\"", "time { validation_from: 100 test_from: 300 }");
  Messages messages;
  std::optional<Imported> imported = files.import(messages);
  ASSERT_TRUE(imported) << messages[0];
  EXPECT_EQ(imported->pairs[0].time, (std::vector<double>{50}));
  EXPECT_EQ(imported->pairs[1].time, (std::vector<double>{100, 200}));
  EXPECT_EQ(imported->pairs[2].time, (std::vector<double>{300}));
}

TEST(Import, HashOfAPairsColumnSplitsPairs) {
  // MD5 modulo 10: abc 0, vim 6.
  Files files;
  files.edit("schema.txtpb", "column: \"part\"", "hash { column: \"part\" test: 0 validation: 1 }");
  files.edit("pairs.tsv", "train", "abc");
  files.edit("pairs.tsv", "train", "vim");
  files.edit("pairs.tsv", "validation", "vim");
  files.edit("pairs.tsv", "test", "vim");
  Messages messages;
  std::optional<Imported> imported = files.import(messages);
  ASSERT_TRUE(imported) << messages[0];
  EXPECT_EQ(imported->pairs[0].query, (Ids{1, 0, 0}));
  EXPECT_EQ(imported->pairs[1].query, (Ids{}));
  EXPECT_EQ(imported->pairs[2].query, (Ids{0}));
}

TEST(Import, HashOfAQuerysColumnSplitsPairs) {
  Files files;
  files.edit("schema.txtpb", "column: \"part\"", "hash { column: \"country\" validation: 6 test: 0 }");
  files.edit("users.csv", "NZ", "vim");
  files.edit("users.csv", "\"\"", "abc");
  Messages messages;
  EXPECT_EQ(files.errors(), Messages{"pairs.tsv: error: no pair is left to train on; check the split"});
  files.edit("users.csv", "abc", "tool");
  std::optional<Imported> imported = files.import(messages);
  ASSERT_TRUE(imported) << messages[0];
  EXPECT_EQ(imported->pairs[0].query, (Ids{1}));
  EXPECT_EQ(imported->pairs[1].query, (Ids{0, 0, 0}));
}

TEST(Import, WrongRowsAreAllNamed) {
  Files files;
  files.edit("apps.tsv", "b\ttool", "a\ttool");
  files.edit("apps.tsv", "-5;0.5", "nan;0");
  files.edit("apps.tsv", "1;1", "1");
  files.edit("users.csv", "NZ,u", "\"N\nZ\",u");
  files.edit("users.csv", "\"\",v", "\"\",");
  EXPECT_EQ(
      files.errors(),
      (Messages{
          "apps.tsv:3: error: key \"a\" was in an earlier row; keys must be unique",
          "apps.tsv:4: error: \"nan\" in column \"size\" is not finite; replace it, for example by the column's mean",
          "apps.tsv:5: error: column \"size\" has 1 numbers instead of 2; fill in what is missing, or correct the "
          "column's width",
          "users.csv:2: error: \"N\\nZ\" in column \"country\" holds a line break, which a key or a category cannot "
          "have; remove it",
          "users.csv:4: error: the key \"user\" is empty; give each row a key of its own"}));
}

TEST(Import, BytesThatAreNoTextAreNamed) {
  Files files;
  files.edit("apps.tsv", "game", "g\xe4me");
  EXPECT_EQ(files.errors(),
            Messages{"apps.tsv:2: error: column \"kind\" is not valid UTF-8; convert the file, for example with "
                     "iconv"});
}

TEST(Import, WrongPairsAreAllNamed) {
  Files files;
  files.edit("pairs.tsv", "u\tb\t2", "w\te\t2");
  files.edit("pairs.tsv", "v\ta\t1\t200", "v\ta\t-1\tx");
  files.edit("pairs.tsv", "\ttest", "\ttset");
  files.edit("pairs.tsv", "u\tb\t1\t50", "u\tb\t\t50");
  EXPECT_EQ(files.errors(),
            (Messages{"pairs.tsv:2: error: query \"w\" is no key of user; add a row for it or remove the pair",
                      "pairs.tsv:2: error: item \"e\" is no key of app; add a row for it or remove the pair",
                      "pairs.tsv:3: error: \"x\" in column \"day\" is not a number; write one such as 3 or -0.5e3",
                      "pairs.tsv:3: error: the weight is -1.000000; it must be 0 or more and at most 3.4e38",
                      "pairs.tsv:4: error: the split is \"tset\"; it must be train, validation or test",
                      "pairs.tsv:5: error: column \"stars\" must hold one number; fill it in"}));
}

TEST(Import, ErrorsStopAtALimit) {
  Files files;
  std::string text = "id\tkind\twords\tsize\n";
  for (int i = 0; i < 100; ++i)
    text += "broken\n";
  files.write("apps.tsv", text);
  EXPECT_EQ(files.errors().size(), DataErrors::limit);
}

TEST(Import, ColumnsThatAreNotThere) {
  Files files;
  files.edit("schema.txtpb", "key: \"id\"", "key: \"ID\"");
  files.edit("schema.txtpb", "column: \"country\"", "column: \"land\"");
  EXPECT_EQ(files.errors(),
            (Messages{"schema.txtpb:5:8: error: entities[0].key: apps.tsv has no column \"ID\"; did you mean \"id\"?",
                      "schema.txtpb:10:55: error: entities[1].columns[0]: users.csv has no column \"land\"; allowed: "
                      "country or user"}));
  Files pairFiles;
  pairFiles.edit("schema.txtpb", "time: \"day\"", "time: \"hour\"");
  pairFiles.edit("schema.txtpb", "column: \"part\"", "hash { column: \"group\" }");
  EXPECT_EQ(pairFiles.errors(),
            Messages{"schema.txtpb:15:26: error: pairs.split.hash.column: pairs.tsv has no such column, and users.csv "
                     "has no column \"group\"; allowed: country or user"});
}

TEST(ImportSpec, WhatIsWrongIsNamedByPlace) {
  EXPECT_EQ(
      schemaErrors(R"(vocabularies { name: "unused" }
entities {
  name: "pairs"
  file: "a.tsv"
  columns { name: "a/b" single {} }
  columns { name: "c" }
  columns { name: "d" single { vocabulary: "nope" } }
  columns { name: "d" dense { width: 70000 } }
}
pairs {
  query: "q" item: "i" file: "p.tsv"
  query_entity: "pairs"
  split { hash { column: "q" folds: 2 test: 2 validation: [1, 1] } }
}
)"),
      (Messages{"s.txtpb:1:1: vocabularies[0]: no column uses it; remove it or name it in a column",
                "s.txtpb:2:1: entities[0].key: missing; name the column that identifies a row",
                "s.txtpb:3:9: entities[0].name: found \"pairs\", a folder that every dataset has; choose another name",
                "s.txtpb:5:19: entities[0].columns[0].name: found \"a/b\"; a name consists of letters, digits, - and _",
                "s.txtpb:6:3: entities[0].columns[1]: the column has no kind; add single {}, multi {} or dense {}",
                "s.txtpb:7:44: entities[0].columns[2].single.vocabulary: no vocabulary is called \"nope\"; add "
                "vocabularies { "
                "name: \"nope\" } or leave the field out for one of the column's own",
                "s.txtpb:8:19: entities[0].columns[3].name: \"d\" is the name of an earlier column; choose another",
                "s.txtpb:8:38: entities[0].columns[3].dense.width: found 70000; 1 to 65536 is allowed",
                "s.txtpb:10:1: pairs.item_entity: no entity is called \"\"; allowed: pairs",
                "s.txtpb:13:45: pairs.split.hash.test[0]: found 2; folds are numbered 0 to 1",
                "s.txtpb:13:63: pairs.split.hash.validation[1]: fold 1 is used twice; use each for one split"}));
}

TEST(ImportSpec, WhatIsMissingIsNamed) {
  EXPECT_EQ(schemaErrors(""),
            (Messages{"s.txtpb:1:1: entities: missing; describe at least one file of queries or items",
                      "s.txtpb:1:1: pairs: missing; describe the file of positive pairs"}));
}

TEST(ImportSpec, SplitsThatCannotBe) {
  auto firstError = [](const std::string &split) {
    Messages errors = schemaErrors(
        "entities { name: \"e\" file: \"e.tsv\" key: \"k\" }\npairs { file: \"p.tsv\" query: \"q\" item: \"i\""
        " query_entity: \"e\" item_entity: \"e\"\nsplit { " +
        split + " } }");
    return errors.empty() ? "" : errors[0];
  };
  EXPECT_EQ(firstError("hash { column: \"q\" folds: 2 test: 0 validation: 1 }"),
            "s.txtpb:3:9: pairs.split.hash: no fold is left to train on; raise folds or use fewer for test and "
            "validation");
  EXPECT_EQ(firstError("time { validation_from: 1 test_from: 2 }"),
            "s.txtpb:3:9: pairs.split.time: there is no time to split by; name the time column in pairs.time");
  EXPECT_EQ(firstError("hash { column: \"q\" test: 0 validation: 1 }"), "");
}

TEST(ImportSpec, UnknownFieldsAreNamed) {
  Messages errors = schemaErrors("entities {\n  colums {}\n}\n");
  ASSERT_FALSE(errors.empty());
  EXPECT_TRUE(std::any_of(errors.begin(), errors.end(), [](const std::string &error) {
    return error.starts_with("s.txtpb:2:3: ") && error.find("columns") != std::string::npos;
  })) << errors[0];
}

TEST(DataImport, WritesADatasetAndSaysWhatIsInIt) {
  Files files;
  std::string out, error;
  ASSERT_EQ(runData({"import", files.path("schema.txtpb"), "--out", files.path("ds/")}, out, error), 0) << error;
  EXPECT_EQ(out, "app: 4 rows\n"
                 "  kind   single  vocabulary kind, 25.0 % missing\n"
                 "  words  multi   vocabulary word, 50.0 % missing, 1.0 values a row, at most 3\n"
                 "  size   dense   2 wide\n"
                 "user: 2 rows\n"
                 "  home  single  vocabulary home, 50.0 % missing\n"
                 "vocabulary home: 1 values\n"
                 "vocabulary kind: 2 values\n"
                 "vocabulary word: 2 values (2 rarer ones left out)\n"
                 "pairs: 4: train 2, validation 1, test 1\n"
                 "wrote " +
                     files.path("ds/") + "\n");
  EXPECT_EQ(files.read("ds/vocab/kind.txt"), "\ngame\ntool\n");
  EXPECT_EQ(files.read("ds/app/keys.txt"), "a\nb\nc\nd\n");
  EXPECT_THAT(rt::NpyFile(files.path("ds/app/words.values.npy")).as<int32_t>({4}), ElementsAre(1, 2, 1, 2));
  EXPECT_EQ(rt::NpyFile(files.path("ds/app/size.npy")).as<float>({4, 2}).size(), 8u);
  EXPECT_THAT(rt::NpyFile(files.path("ds/pairs/test.item.npy")).as<int32_t>({1}), ElementsAre(3));
  EXPECT_TRUE(files.has("ds/pairs/train.weight.npy"));
  EXPECT_TRUE(files.has("ds/pairs/validation.time.npy"));

  SpecDiagnostics diagnostics;
  std::optional<data::Dataset> dataset = readDatasetSchema(files.path("ds"), diagnostics);
  ASSERT_TRUE(dataset);
  EXPECT_EQ(dataset->entities(0).columns(1).longest(), 3u);
  auto json = nlohmann::json::parse(files.read("ds/schema.json"));
  EXPECT_EQ(json["item_entity"], "app");
  EXPECT_EQ(json["entities"][0]["columns"][0]["kind"], "SINGLE");
  EXPECT_EQ(json["entities"][0]["columns"][2]["longest"], 0); // defaults are printed
  EXPECT_EQ(json["pairs"][0]["weighted"], true);
}

TEST(DataImport, ReplacesADatasetAndNothingElse) {
  Files files;
  std::string out, error;
  ASSERT_EQ(runData({"import", files.path("schema.txtpb"), "--out", files.path("ds")}, out, error), 0) << error;
  files.write("ds/stale", "");
  files.edit("users.csv", "NZ", "DE");
  ASSERT_EQ(runData({"import", files.path("schema.txtpb"), "--out=" + files.path("ds")}, out, error), 0) << error;
  EXPECT_EQ(files.read("ds/vocab/home.txt"), "\nDE\n");
  EXPECT_FALSE(files.has("ds/stale"));
  EXPECT_FALSE(files.has("ds.importing"));

  std::filesystem::create_directory(files.path("mine"));
  files.write("mine/letter", "dear");
  EXPECT_EQ(runData({"import", files.path("schema.txtpb"), "--out", files.path("mine")}, out, error), 1);
  EXPECT_EQ(error,
            "error: " + files.path("mine") + ": exists and is not a dataset; remove it or choose another folder\n");
  EXPECT_EQ(files.read("mine/letter"), "dear");
}

TEST(DataImport, LeavesNothingBehindWhenItFails) {
  Files files;
  std::string out, error;
  files.edit("pairs.tsv", "u\tb", "u\tq");
  EXPECT_EQ(runData({"import", files.path("schema.txtpb"), "--out", files.path("ds")}, out, error), 1);
  EXPECT_EQ(error, "pairs.tsv:2: error: item \"q\" is no key of app; add a row for it or remove the pair\n");
  EXPECT_FALSE(files.has("ds"));
  EXPECT_FALSE(files.has("ds.importing"));
}

TEST(DataImport, HeadIsTheShareOfTheTopPercent) {
  Files files;
  std::string many = "id\tkind\twords\tsize\n";
  for (int i = 0; i < 250; ++i)
    many += "p" + std::to_string(i) + "\t\t\t0;0\n";
  files.write("apps.tsv", many);
  // Two of 250 items are the head: p0 with three training pairs, p1 with one of the two that are left.
  files.write("pairs.tsv", "user\tapp\tstars\tday\tpart\nu\tp0\t1\t1\ttrain\nu\tp0\t1\t1\ttrain\nv\tp0\t1\t1\ttrain\n"
                           "u\tp1\t1\t1\ttrain\nu\tp2\t1\t1\ttrain\nu\tp2\t1\t1\ttest\n");
  std::string out, error;
  ASSERT_EQ(runData({"import", files.path("schema.txtpb"), "--out", files.path("ds")}, out, error), 0) << error;
  EXPECT_NE(out.find("head: the 1 % of app rows with most training pairs (2) draw 80.0 % of them\n"), std::string::npos)
      << out;
}

TEST(DataImport, WrongCommandLines) {
  std::string out, error;
  EXPECT_EQ(runData({}, out, error), 2);
  EXPECT_NE(error.find("error: towerc data needs a command: import or mi\n"), std::string::npos);
  EXPECT_EQ(runData({"export"}, out, error), 2);
  EXPECT_NE(error.find("error: unknown command data export; it is import or mi\n"), std::string::npos);
  EXPECT_EQ(runData({"import"}, out, error), 2);
  EXPECT_NE(error.find("error: data import needs a schema\n"), std::string::npos);
  EXPECT_EQ(runData({"import", "s.txtpb"}, out, error), 2);
  EXPECT_NE(error.find("error: data import needs --out FOLDER\n"), std::string::npos);
  EXPECT_EQ(runData({"import", "s.txtpb", "--out"}, out, error), 2);
  EXPECT_NE(error.find("error: data import does not know --out, or it lacks a value\n"), std::string::npos);
  EXPECT_EQ(runData({"import", "/nowhere/s.txtpb", "--out", "x"}, out, error), 1);
  EXPECT_EQ(error, "/nowhere/s.txtpb: error: cannot be opened: No such file or directory\n");
  EXPECT_EQ(runData({"--help"}, out, error), 0);
  EXPECT_NE(out.find("usage: towerc data import SCHEMA --out FOLDER\n"), std::string::npos);
}
