// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every error and warning about a spec alone: its message and its place.
#include "test/unit/SpecFixture.h"

using namespace tower;
using namespace tower::test;

TEST(SpecErrors, Names) {
  expectErrorOf("name: \"shop\"\n", "\n", "\n", "name: is missing; every model has a name");
  expectErrorOf("name: \"shop\"", "name: \"my shop\"", "\"my shop\"",
                "name: found \"my shop\"; letters, digits, - and _ are allowed");
  expectErrorOf("name: \"size\" dense {}", "name: \"size\" dense {} } features { name: \"words\" dense {}",
                "\"words\" dense",
                "entities[0].features[3].name: found \"words\" again; the first one is at spec:7:20");
  expectError(std::string(goodSpec) + "tables { name: \"word\" dim: 1 }", "\"word\" dim: 1",
              "tables[2].name: found \"word\" again; the first one is at spec:3:16");
  expectErrorOf("name: \"size\"", "name: \"section\"", "\"section\" dense",
                "entities[0].features[2].name: found \"section\" again; the first one is at spec:6:20");
  expectErrorOf("name: \"ssl\"", "name: \"main\"", "\"main\"\n  weight",
                "losses[1].name: found \"main\" again; the first one is at spec:23:9");
  expectErrorOf("name: \"size\"", "", "features {  dense",
                "entities[0].features[2].name: is missing; every feature has a name");
}

TEST(SpecErrors, ADefaultNameCanClashToo) {
  std::string text = replaced(goodSpec, "name: \"main\"", "name: \"contrastive\"");
  expectError(replaced(text, "  name: \"ssl\"\n", ""), "losses {\n  weight",
              "losses[1].name: found \"contrastive\" again; the first one is at spec:23:9");
}

TEST(SpecErrors, Tables) {
  expectErrorOf("rows: 10", "rows: 2147483648", "2147483648",
                "tables[0].rows: found 2147483648; allowed: 1 to 2147483647");
  expectErrorOf("dim: 4 ", "", "tables {", "tables[0].dim: is missing; allowed: 1 to 4096");
  expectErrorOf("dim: 4 ", "dim: 0 ", "0 }", "tables[0].dim: found 0; allowed: 1 to 4096", "dim: 0");
  expectErrorOf("dim: 4 ", "dim: 4097 ", "4097", "tables[0].dim: found 4097; allowed: 1 to 4096");
  expectErrorOf("uniform: 0.1", "uniform: -0.1", "-0.1",
                "tables[1].initializer.uniform: found -0.1; allowed: a finite number >= 0");
  expectErrorOf("uniform: 0.1", "normal: inf", "inf",
                "tables[1].initializer.normal: found inf; allowed: a finite number >= 0");
  expectErrorOf("uniform: 0.1", "glorot: false", "false",
                "tables[1].initializer.glorot: found false; allowed: true, or normal or uniform in its place");
  expectErrorOf("rows: 10 ", "", "tables {",
                "tables[0].rows: is missing; give it, or pass --data DIR to take the vocabulary's there");
}

TEST(SpecErrors, EntitiesAndFeatures) {
  expectErrorOf("name: \"section\" single {}", "name: \"section\"", "features",
                "entities[0].features[0]: is of no kind; single { ... }, multi { ... } or dense { ... } is expected");
  expectErrorOf("name: \"section\" single {}", "name: \"section\" single { table: \"secton\" }", "\"secton\"",
                "entities[0].features[0].single.table: there is no table \"secton\"; did you mean \"section\"?");
  expectErrorOf("table: \"word\" ", "", "multi",
                "entities[0].features[1].multi.table: there is no table of the feature's name, \"words\"; did you mean "
                "\"word\"?");
  expectErrorOf("max_values: 6", "max_values: 1048577", "1048577",
                "entities[0].features[1].multi.max_values: found 1048577; allowed: 0 to 1048576");
  expectErrorOf(" max_values: 6", "", "multi",
                "entities[0].features[1].multi.max_values: is missing; give it, or pass --data DIR to take the longest "
                "row there");
  expectErrorOf("dense {} }", "dense { width: 0 } }", "0 } }",
                "entities[0].features[2].dense.width: found 0; allowed: 1 to 65536", "width");
}

TEST(SpecErrors, AnEntityHasFeatures) {
  EXPECT_EQ(problems(std::string(goodSpec) + "entities { name: \"user\" }\n"),
            "spec:41:1: error: entities[1].features: is missing; every entity has one feature or more\n");
}

TEST(SpecErrors, LongListsOfAlternativesAreCut) {
  std::string text = goodSpec;
  for (int i = 0; i < 20; ++i)
    text += "tables { name: \"t" + std::to_string(i) + "\" dim: 1 }\n";
  expectError(
      replaced(text, "single {}", "single { table: \"something\" }"), "\"something\"",
      "entities[0].features[0].single.table: there is no table \"something\"; allowed: section, word, t0, t1, t2, "
      "t3, t4, t5, t6, t7, t8, t9 or one of 10 more");
}

TEST(SpecErrors, ANameThatCouldNotBeReadIsNotAlsoUnknown) {
  expectErrorOf("name: \"word\" ", "name: word ", "word rows", "tables[1].name: found word; allowed: text in quotes");
  expectErrorOf("name: \"word\" ", "nmae: \"word\" ", "nmae",
                "tables[1]: Table has no field \"nmae\"; did you mean \"name\"?");
}

TEST(SpecErrors, Towers) {
  expectErrorOf("  entity: \"item\"\n  features", "  entity: \"itme\"\n  features", "\"itme\"",
                "towers[0].entity: there is no entity \"itme\"; did you mean \"item\"?");
  expectErrorOf("  entity: \"item\"\n  features", "  features", "towers",
                "towers[0].entity: is missing; allowed: item");
  expectErrorOf("\"words\"]", "\"word\"]", "\"word\"]",
                "towers[0].features[1]: entity \"item\" has no feature \"word\"; did you mean \"words\"?");
  expectErrorOf("\"words\"]", "\"words\"]\n  features: \"nothing\"", "\"nothing\"",
                "towers[0].features[2]: entity \"item\" has no feature \"nothing\"; allowed: section, words or size");
  expectErrorOf("\"words\"]", "\"section\"]", "\"section\"]", "towers[0].features[1]: found \"section\" again");
  expectErrorOf("units: 16", "units: 16385", "16385", "towers[0].layers[0].units: found 16385; allowed: 1 to 16384");
  expectErrorOf("units: 16", "", "layers", "towers[0].layers[0].units: is missing; allowed: 1 to 16384");
  expectErrorOf("units: 16", "initializer { normal: -1 } units: 16", "-1",
                "towers[0].layers[0].initializer.normal: found -1; allowed: a finite number >= 0");
  expectErrorOf("  layers { units: 16 activation: RELU }\n  layers { units: 8 }\n", "", "towers",
                "towers[0].layers: is missing; every tower has one layer or more, for instance layers { units: 64 }");
}

TEST(SpecErrors, MainLoss) {
  expectErrorOf("query: \"query\"", "query: \"qeury\"", "\"qeury\"",
                "losses[0].in_batch_softmax.query: there is no tower \"qeury\"; did you mean \"query\"?");
  expectErrorOf("query: \"query\" ", "", "in_batch_softmax",
                "losses[0].in_batch_softmax.query: is missing; allowed: query or item");
  for (const char *bad : {"0", "-1", "inf", "nan"})
    expectErrorOf("temperature: 0.2", std::string("temperature: ") + bad, std::string(bad) + " }",
                  std::string("losses[0].in_batch_softmax.temperature: found ") + bad +
                      "; allowed: a finite number > 0",
                  "temperature");
  expectErrorOf("units: 16 activation: RELU }\n  layers { units: 8 }", "units: 16 activation: RELU }",
                "in_batch_softmax",
                "losses[0].in_batch_softmax: the last layer of tower \"query\" has 16 units, that of tower \"item\" 8; "
                "they must be equal");
  expectErrorOf("units: 16 activation: RELU }", "units: 16 } output: RAW", "in_batch_softmax",
                "losses[0].in_batch_softmax: the output of tower \"query\" is RAW, that of tower \"item\" NORMALIZED; "
                "they must be equal");
  expectErrorOf(
      "losses {\n  name: \"main\"\n  in_batch_softmax { query: \"query\" item: \"item\" temperature: 0.2 }\n}\n", "",
      "name: \"shop\"", "losses: no in_batch_softmax among them; one is needed: it says which towers are evaluated");
  expectErrorOf(
      "  in_batch_softmax { query: \"query\" item: \"item\" temperature: 0.2 }",
      "  in_batch_softmax { query: \"query\" item: \"item\" }\n}\nlosses {\n", "losses {\n\n",
      "losses[1]: is of no kind; in_batch_softmax { ... }, contrastive { ... } or spread_out { ... } is expected");
}

TEST(SpecErrors, OtherLosses) {
  expectErrorOf("weight: 0.5", "weight: -0.5", "-0.5", "losses[1].weight: found -0.5; allowed: a finite number >= 0");
  expectErrorOf("tower: \"item\"", "tower: \"tiem\"", "\"tiem\"",
                "losses[1].contrastive.tower: there is no tower \"tiem\"; did you mean \"item\"?");
  expectErrorOf("tower: \"item\"", "tower: \"item\" temperature: -3", "-3",
                "losses[1].contrastive.temperature: found -3; allowed: a finite number > 0");
  expectErrorOf("batch: 32", "batch: 1", "1\n  }", "losses[1].contrastive.batch: found 1; allowed: 2 to 1048576",
                "batch: 1\n");
  expectErrorOf(
      "batch: 32", "batch: 32 items: BATCH", "32 items",
      "losses[1].contrastive.batch: found 32 beside items: BATCH, which takes the training batch; leave it out");
  std::string spreadOut = "losses { spread_out { tower: \"itme\" batch: 0 } }\n";
  EXPECT_EQ(problems(goodSpec + spreadOut),
            "spec:41:30: error: losses[2].spread_out.tower: there is no tower \"itme\"; did you mean \"item\"?\n"
            "spec:41:44: error: losses[2].spread_out.batch: found 0; allowed: 2 to 1048576\n");
}

TEST(SpecErrors, Augmentation) {
  expectErrorOf("tower: \"item\"", "tower: \"query\"", "RANDOM",
                "losses[1].contrastive.augmentation.mask: found RANDOM on tower \"query\", which has 2 features; 3 or "
                "more are needed");
  expectErrorOf(
      "mask: RANDOM", "mask: RANDOM masked_features: 3", "3 value",
      "losses[1].contrastive.augmentation.masked_features: found 3; tower \"item\" has 3 features, of which 1 "
      "to 2 can be masked");
  expectErrorOf(
      "mask: RANDOM", "mask: RANDOM masked_features: 0", "0 value",
      "losses[1].contrastive.augmentation.masked_features: found 0; tower \"item\" has 3 features, of which 1 "
      "to 2 can be masked");
  for (const char *bad : {"1", "-0.1", "nan"})
    expectErrorOf("value_dropout: 0.3", std::string("value_dropout: ") + bad, std::string(bad) + " }",
                  std::string("losses[1].contrastive.augmentation.value_dropout: found ") + bad +
                      "; allowed: a number in [0, 1)",
                  "value_dropout");
  expectErrorOf("multi { table: \"word\" max_values: 6 }", "single { table: \"word\" }", "0.3",
                "losses[1].contrastive.augmentation.value_dropout: found 0.3, but tower \"item\" has no multi-valued "
                "feature to drop values of");
  expectErrorOf("temperature: 0.2", "augmentation { mask: CORRELATED masked_features: 7 }", "7",
                "losses[0].in_batch_softmax.augmentation.masked_features: found 7; tower \"item\" has 3 features, of "
                "which 1 to 2 can be masked");
}

TEST(SpecErrors, EntitiesOfLosses) {
  std::string text =
      replaced(goodSpec, "towers {\n  name: \"item\"",
               "entities { name: \"user\" features { name: \"age\" dense {} } }\n"
               "towers { name: \"user\" entity: \"user\" layers { units: 8 } }\ntowers {\n  name: \"item\"");
  text += "losses { in_batch_softmax { query: \"user\" item: \"item\" } }\n";
  expectError(text, "\"user\" item:",
              "losses[2].in_batch_softmax.query: is a tower over entity \"user\"; the first "
              "in_batch_softmax has one over \"item\", and pairs are of one kind");
  text = replaced(text, "in_batch_softmax { query: \"user\" item: \"item\" }",
                  "spread_out { tower: \"user\" items: BATCH }");
  expectError(text, "BATCH",
              "losses[2].spread_out.items: found BATCH, the items of pairs, which are of entity \"item\"; "
              "tower \"user\" is over \"user\"; allowed: UNIFORM");
}

TEST(SpecErrors, Training) {
  expectErrorOf("batch: 64", "batch: 1", "1\n", "training.batch: found 1; allowed: 2 to 1048576", "batch: 1\n");
  expectErrorOf("batch: 64", "batch: 1048577", "1048577", "training.batch: found 1048577; allowed: 2 to 1048576");
  expectErrorOf("epochs: 3", "epochs: 0", "0\n", "training.epochs: found 0; allowed: 1 or more", "epochs");
  expectErrorOf("epochs: 3", "steps: 0", "0\n", "training.steps: found 0; allowed: 1 or more", "steps");
  expectErrorOf("epochs: 3", "clip_norm: -1", "-1",
                "training.clip_norm: found -1; allowed: a finite number > 0, or 0 for no clipping");
  expectErrorOf("epochs: 3", "schedule { decay: LINEAR final_fraction: 1.5 }", "1.5",
                "training.schedule.final_fraction: found 1.5; allowed: a number in [0, 1]");
  expectErrorOf("epochs: 3", "steps: 10 schedule { warmup_steps: 10 }", "10 }",
                "training.schedule.warmup_steps: found 10; fewer than the training's 10 steps are allowed");
}

TEST(SpecErrors, Optimizers) {
  expectErrorOf("rate: 0.1 ", "rate: 0 ", "0 }", "training.tables.adagrad.rate: found 0; allowed: a finite number > 0",
                "rate: 0");
  expectErrorOf("rate: 0.1 ", "initial: -1 ", "-1",
                "training.tables.adagrad.initial: found -1; allowed: a finite number >= 0");
  expectErrorOf("rate: 0.1 ", "epsilon: -1 ", "-1",
                "training.tables.adagrad.epsilon: found -1; allowed: a finite number >= 0");
  expectErrorOf(
      "rate: 0.1 ", "initial: 0 epsilon: 0 ", "adagrad",
      "training.tables.adagrad: initial and epsilon are both 0, and a gradient of 0 would be divided by 0; one "
      "must be > 0");
  expectErrorOf("adagrad { rate: 0.1 } }", "sgd { rate: inf } }", "inf",
                "training.tables.sgd.rate: found inf; allowed: a finite number > 0");
  expectErrorOf("adagrad { rate: 0.1 } }", "rowwise_adagrad { rate: -2 } }", "-2",
                "training.tables.rowwise_adagrad.rate: found -2; allowed: a finite number > 0");
  expectErrorOf("adagrad { rate: 0.1 } }", "weight_decay: 0.1 }", "0.1 }",
                "training.tables.weight_decay: found 0.1; only dense parameters can decay", "weight_decay");
  expectErrorOf("adam {}", "rowwise_adagrad {}", "rowwise_adagrad",
                "training.dense.rowwise_adagrad: is for tables only; allowed here: sgd, adagrad or adam");
  expectErrorOf("adam {}", "adam { rate: -1 }", "-1",
                "training.dense.adam.rate: found -1; allowed: a finite number > 0");
  expectErrorOf("adam {}", "adam { beta1: 1 }", "1 }",
                "training.dense.adam.beta1: found 1; allowed: a number in [0, 1)", "beta1: 1");
  expectErrorOf("adam {}", "adam { beta2: -0.5 }", "-0.5",
                "training.dense.adam.beta2: found -0.5; allowed: a number in [0, 1)");
  expectErrorOf("adam {}", "adam { epsilon: 0 }", "0 }",
                "training.dense.adam.epsilon: found 0; allowed: a finite number > 0", "epsilon");
  expectErrorOf("adam {}", "weight_decay: nan", "nan",
                "training.dense.weight_decay: found nan; allowed: a finite number >= 0");
}

TEST(SpecErrors, AnEmptySpecSaysWhatAModelHas) {
  EXPECT_EQ(problems(""),
            "spec:1:1: error: name: is missing; every model has a name\n"
            "spec:1:1: error: entities: is missing; a model has one entity or more\n"
            "spec:1:1: error: towers: is missing; a model has one tower or more\n"
            "spec:1:1: error: losses: no in_batch_softmax among them; one is needed: it says which towers "
            "are evaluated\n");
}

TEST(SpecErrors, Warnings) {
  std::string text = std::string(goodSpec) + "tables { name: \"spare\" dim: 3 }\n"
                                             "towers { name: \"idle\" entity: \"item\" layers { units: 3 } }\n";
  text = replaced(text, "  entity: \"item\"\n  layers { units: 8 }",
                  "  entity: \"item\" features: [\"section\", \"words\"]\n  layers { units: 8 }");
  text = replaced(text, "towers { name: \"idle\" entity: \"item\" ",
                  "towers { name: \"idle\" entity: \"item\" features: \"words\" ");
  text = replaced(text, "mask: RANDOM", "masked_features: 2");
  text = replaced(text, "batch: 32", "views: INDEPENDENT");
  text = replaced(text, "batch: 64", "schedule { final_fraction: 0.5 }");
  EXPECT_EQ(problems(text),
            "spec:8:3: warning: entities[0].features[2]: no tower uses feature \"size\"\n"
            "spec:31:37: warning: losses[1].contrastive.augmentation.masked_features: has no effect without a mask\n"
            "spec:32:12: warning: losses[1].contrastive.views: has no effect without a mask\n"
            "spec:36:30: warning: training.schedule.final_fraction: has no effect with decay CONSTANT\n"
            "spec:41:1: warning: tables[2]: no feature uses table \"spare\"\n"
            "spec:42:1: warning: towers[2]: no loss trains tower \"idle\"\n");
}
