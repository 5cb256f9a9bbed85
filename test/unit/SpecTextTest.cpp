// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Text proto with positions: syntax, fields, values.
#include "test/unit/SpecFixture.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>

using namespace tower;
using namespace tower::test;

TEST(SpecText, AGoodSpecHasNoProblems) { EXPECT_EQ(problems(goodSpec), ""); }

TEST(SpecText, UnknownFieldSuggestsTheNearest) {
  expectErrorOf(
      "temperature: 0.2", "temprature: 0.2", "temprature",
      "losses[0].in_batch_softmax: InBatchSoftmax has no field \"temprature\"; did you mean \"temperature\"?");
  expectErrorOf("name: \"shop\"", "name: \"shop\" zzz { a: [1, { b: 2 }] }", "zzz",
                "Model has no field \"zzz\"; allowed: name, tables, entities, towers, losses, training or precision");
}

TEST(SpecText, AMisspeltFieldIsNotAlsoMissing) {
  expectErrorOf("units: 16", "unit: 16",
                "unit:", "towers[0].layers[0]: Layer has no field \"unit\"; did you mean \"units\"?");
  expectErrorOf("single {}", "singel {}", "singel",
                "entities[0].features[0]: Feature has no field \"singel\"; did you mean \"single\"?");
}

TEST(SpecText, WrongEnumValueListsAllOfThem) {
  expectErrorOf("mask: RANDOM", "mask: RANDM", "RANDM",
                "losses[1].contrastive.augmentation.mask: found RANDM; allowed: NO_MASK, RANDOM or CORRELATED (did you "
                "mean RANDOM?)");
  expectErrorOf("mask: RANDOM", "mask: 2", "2 value_dropout",
                "losses[1].contrastive.augmentation.mask: found 2; allowed: NO_MASK, RANDOM or CORRELATED");
}

TEST(SpecText, WrongValuesSayWhatIsAllowed) {
  expectErrorOf("rows: 10", "rows: -10", "-10",
                "tables[0].rows: found -10; allowed: a whole number from 0 to 4294967295");
  expectErrorOf("rows: 10", "rows: 4294967296", "4294967296",
                "tables[0].rows: found 4294967296; allowed: a whole number from 0 to 4294967295");
  expectErrorOf("rows: 10", "rows: 1.5", "1.5",
                "tables[0].rows: found 1.5; allowed: a whole number from 0 to 4294967295");
  expectErrorOf("weight: 0.5", "weight: \"0.5\"", "\"0.5\"", "losses[1].weight: found \"0.5\"; allowed: a number");
  expectErrorOf("uniform: 0.1", "glorot: yes", "yes",
                "tables[1].initializer.glorot: found yes; allowed: true or false");
  expectErrorOf("epochs: 3", "steps: 18446744073709551616", "18446744073709551616",
                "training.steps: found 18446744073709551616; allowed: a whole number from 0 to 18446744073709551615");
  expectErrorOf("entity: \"item\"\n  features", "entity: item\n  features", "item\n  features",
                "towers[0].entity: found item; allowed: text in quotes");
  expectErrorOf("rows: 10", "rows: [10]", "[10]",
                "tables[0].rows: found a list; allowed: a whole number from 0 to 4294967295");
  expectErrorOf("single {}", "single: 3", "3 }\n  features { name: \"words\"",
                "entities[0].features[0].single: found '3'; { ... } with fields of Single is expected");
}

static std::string lineOf(const std::string &what) {
  std::string place = placeOf(goodSpec, what);
  return place.substr(0, place.find(':'));
}

TEST(SpecText, AFieldIsWrittenOnce) {
  expectErrorOf("rows: 10", "rows: 10 rows: 11", "rows: 11",
                "tables[0].rows: is written twice; the first one is in line 2");
  expectErrorOf("epochs: 3", "epochs: 3 steps: 5", "steps",
                "training.steps: is written beside epochs of line " + lineOf("epochs") +
                    "; only one of them is allowed");
}

TEST(SpecText, BrokenStructureIsReportedWhereItIsSeen) {
  std::string open = replaced(goodSpec, "dense { adam {} }\n}\n", "dense { adam {} }");
  EXPECT_EQ(problems(open), "spec:39:20: error: training: found the end of the file; the '{' of line " +
                                lineOf("training {") + " is not closed by '}'\n");
  EXPECT_EQ(problems(std::string(goodSpec) + "}"), "spec:41:1: error: found '}'; the name of a field is expected: "
                                                   "name, tables, entities, towers, losses, training or precision\n");
  expectErrorOf("batch: 64", "batch 64", "64",
                "training.batch: found '64'; ':' and a whole number from 0 to 4294967295 are expected");
  expectErrorOf("batch: 64", "batch:", "epochs: 3",
                "training.batch: found 'epochs'; a whole number from 0 to 4294967295 is expected");
  expectErrorOf("[\"section\", \"words\"]", "[\"section\", \"words\"", "layers",
                "towers[0].features: found 'layers'; ',' or ']' is expected");
  EXPECT_EQ(problems(replaced(goodSpec, "name: \"shop\"", "name: \"shop")),
            "spec:1:12: error: String literals cannot cross line boundaries.\n");
}

TEST(SpecText, OneRunReportsEverythingThatIsWrong) {
  std::string text = replaced(goodSpec, "rows: 10", "rows: -10");                // a value
  text = replaced(text, "single {}", "singel {}");                               // a field
  text = replaced(text, "[\"section\", \"words\"]", "[\"section\", \"wrods\"]"); // a reference
  text = replaced(text, "mask: RANDOM", "mask: RADNOM");                         // an enum's value
  text = replaced(text, "temperature: 0.2", "temperature: 0");                   // a range
  EXPECT_EQ(problems(text),
            "spec:2:32: error: tables[0].rows: found -10; allowed: a whole number from 0 to 4294967295\n"
            "spec:6:30: error: entities[0].features[0]: Feature has no field \"singel\"; did you mean \"single\"?\n"
            "spec:13:25: error: towers[0].features[1]: entity \"item\" has no feature \"wrods\"; did you mean "
            "\"words\"?\n"
            "spec:24:63: error: losses[0].in_batch_softmax.temperature: found 0; allowed: a finite number > 0\n"
            "spec:31:26: error: losses[1].contrastive.augmentation.mask: found RADNOM; allowed: NO_MASK, RANDOM or "
            "CORRELATED (did you mean RANDOM?)\n");
}

TEST(SpecText, PlacesCountBytesAndTabs) {
  std::string text = replaced(goodSpec, "  weight: 0.5", "\t\tweight: -1");
  expectError(text, "-1", "losses[1].weight: found -1; allowed: a finite number >= 0");
}

TEST(SpecText, PrintsTheLineAndACaret) {
  SpecDiagnostics diagnostics;
  readSpecText("spec", replaced(goodSpec, "  weight: 0.5", "\tweight: -0.5  # half"), {}, diagnostics);
  std::ostringstream out;
  diagnostics.print(out);
  EXPECT_EQ(out.str(), "spec:28:10: error: losses[1].weight: found -0.5; allowed: a finite number >= 0\n"
                       "   28 | \tweight: -0.5  # half\n"
                       "      | \t        ^~~~\n");
}

TEST(SpecText, AFileThatCannotBeReadIsNamed) {
  SpecDiagnostics diagnostics;
  EXPECT_FALSE(readSpec("/nowhere/model.txtpb", {}, diagnostics));
  EXPECT_FALSE(readSpec("/", {}, diagnostics));
  std::ostringstream out;
  diagnostics.print(out);
  EXPECT_EQ(out.str(), "/: error: is a folder; a text file is expected\n"
                       "/nowhere/model.txtpb: error: cannot be opened: No such file or directory\n");
}

TEST(SpecText, NoPrefixOfASpecCrashes) {
  std::string text = goodSpec;
  for (size_t size = 0; size < text.size(); ++size) {
    SpecDiagnostics diagnostics;
    std::optional<Spec> spec = readSpecText("spec", text.substr(0, size), {}, diagnostics);
    // What is left is whole only where the cut fell behind the last of the losses or of training.
    if (size < text.find("losses")) {
      EXPECT_FALSE(spec) << size;
      EXPECT_GT(diagnostics.numErrors(), 0) << size;
    }
  }
}

// The walk over the tokens must take for right what protobuf takes for right, and the other way round: every text that
// results from exchanging two neighbouring tokens, or from leaving one out, is judged by both.
TEST(SpecText, AgreesWithProtobufAboutWhatIsWellFormed) {
  std::vector<std::string> words;
  std::istringstream stream(replaced(goodSpec, "[\"section\", \"words\"]", "[ \"section\" , \"words\" ]"));
  for (std::string word; stream >> word;)
    words.push_back(word);
  auto join = [](const std::vector<std::string> &words) {
    std::string text;
    for (const std::string &word : words)
      text += word + " ";
    return text;
  };
  struct Quiet : google::protobuf::io::ErrorCollector {
    void AddError(int, int, const std::string &) override {}
  };
  int good = 0, bad = 0;
  auto compare = [&](const std::string &text) {
    Quiet quiet;
    google::protobuf::TextFormat::Parser parser;
    parser.RecordErrorsTo(&quiet);
    spec::Model expected, found;
    bool right = parser.ParseFromString(text, &expected);
    SpecPlaces places("spec");
    SpecDiagnostics diagnostics;
    bool parsed = parseSpecText("spec", text, found, places, diagnostics);
    EXPECT_EQ(right, parsed && diagnostics.numErrors() == 0) << text;
    EXPECT_TRUE(!right || google::protobuf::util::MessageDifferencer::Equals(expected, found)) << text;
    (right ? good : bad) += 1;
  };
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    std::vector<std::string> changed = words;
    std::swap(changed[i], changed[i + 1]);
    compare(join(changed));
    changed = words;
    changed.erase(changed.begin() + static_cast<long>(i));
    compare(join(changed));
  }
  EXPECT_GT(good, 10);
  EXPECT_GT(bad, 100);
}
