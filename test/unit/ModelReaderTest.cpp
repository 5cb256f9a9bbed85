// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a spec means once it is read: defaults, positions, overrides, hashes.
#include "test/unit/SpecFixture.h"

#include <filesystem>
#include <functional>
#include <google/protobuf/text_format.h>

using namespace tower;
using namespace tower::spec;
using namespace tower::test;

TEST(ModelReader, FillsInDefaultsOfFeaturesAndTowers) {
  Model model = read(goodSpec).model;
  EXPECT_FLOAT_EQ(model.tables(0).initializer().normal(), 0.05f);
  const Entity &item = model.entities(0);
  EXPECT_EQ(item.features(0).column(), "section");
  EXPECT_EQ(item.features(0).single().table(), "section");
  EXPECT_EQ(item.features(1).multi().table(), "word");
  EXPECT_EQ(item.features(1).multi().pooling(), MEAN);
  EXPECT_EQ(item.features(2).dense().width(), 1u);
  EXPECT_EQ(item.features(2).dense().scaling(), STANDARDIZED);
  EXPECT_EQ(model.towers(0).features_size(), 2);
  ASSERT_EQ(model.towers(1).features_size(), 3);
  EXPECT_EQ(model.towers(1).features(2), "size");
  EXPECT_EQ(model.towers(1).output(), NORMALIZED);
  const Layer &layer = model.towers(1).layers(0);
  EXPECT_EQ(layer.activation(), IDENTITY);
  EXPECT_EQ(layer.bias(), TRAINED);
  EXPECT_TRUE(layer.initializer().glorot());
}

TEST(ModelReader, FillsInDefaultsOfLossesAndTraining) {
  Model model = read(replaced(replaced(goodSpec, " temperature: 0.2", ""), "    batch: 32\n", "")).model;
  EXPECT_EQ(model.losses(0).weight(), 1);
  const InBatchSoftmax &softmax = model.losses(0).in_batch_softmax();
  EXPECT_FLOAT_EQ(softmax.temperature(), 0.1f);
  EXPECT_EQ(softmax.logq(), NO_CORRECTION);
  EXPECT_EQ(softmax.accidental_hits(), REMOVE);
  EXPECT_EQ(softmax.same_query_positives(), KEEP);
  EXPECT_EQ(softmax.pair_weights(), UNIFORM_WEIGHTS);
  EXPECT_EQ(softmax.augmentation().mask(), NO_MASK);
  const Contrastive &ssl = model.losses(1).contrastive();
  EXPECT_FLOAT_EQ(ssl.temperature(), 0.1f);
  EXPECT_EQ(ssl.views(), COMPLEMENTARY);
  EXPECT_EQ(ssl.items(), UNIFORM);
  EXPECT_EQ(ssl.batch(), 64u);
  EXPECT_EQ(ssl.negatives(), CROSS_VIEW);
  EXPECT_EQ(ssl.accidental_hits(), REMOVE);
  EXPECT_EQ(ssl.augmentation().mi(), PLUGIN);
  EXPECT_FLOAT_EQ(model.training().tables().adagrad().initial(), 0.1f);
  EXPECT_FLOAT_EQ(model.training().tables().adagrad().epsilon(), 1e-10f);
  const Adam &adam = model.training().dense().adam();
  EXPECT_FLOAT_EQ(adam.rate(), 0.001f);
  EXPECT_FLOAT_EQ(adam.beta1(), 0.9f);
  EXPECT_FLOAT_EQ(adam.beta2(), 0.999f);
  EXPECT_FLOAT_EQ(adam.epsilon(), 1e-8f);
  EXPECT_EQ(model.training().seed(), 1u);
  EXPECT_EQ(model.training().schedule().decay(), CONSTANT);
  std::string text = goodSpec;
  Training training = read(text.substr(0, text.find("training"))).model.training();
  EXPECT_EQ(training.batch(), 1024u);
  EXPECT_EQ(training.epochs(), 10u);
  EXPECT_FLOAT_EQ(training.tables().adagrad().rate(), 0.05f);
  EXPECT_FLOAT_EQ(training.dense().adagrad().rate(), 0.05f);
}

TEST(ModelReader, CountsMaskedFeatures) {
  auto masked = [](const std::string &mask) {
    return read(replaced(goodSpec, "mask: RANDOM", mask))
        .model.losses(1)
        .contrastive()
        .augmentation()
        .masked_features();
  };
  EXPECT_EQ(masked("mask: RANDOM"), 1u);     // floor(3 / 2)
  EXPECT_EQ(masked("mask: CORRELATED"), 2u); // 1 + floor(3 / 2)
  EXPECT_EQ(masked("mask: CORRELATED masked_features: 1"), 1u);
  EXPECT_EQ(masked("mask: NO_MASK"), 0u);
}

TEST(ModelReader, ViewsWithoutAMaskAreTheSame) {
  Model model = read(replaced(goodSpec, "mask: RANDOM ", "")).model;
  EXPECT_EQ(model.losses(1).contrastive().views(), SAME);
}

TEST(ModelReader, NamesLossesByKind) {
  std::string text = replaced(replaced(goodSpec, "  name: \"main\"\n", ""), "  name: \"ssl\"\n", "");
  text += "losses { contrastive { tower: \"item\" } }\nlosses { spread_out { tower: \"item\" } }\n"
          "losses { contrastive { tower: \"query\" } }\n";
  Model model = read(text).model;
  std::vector<std::string> names;
  for (const Loss &loss : model.losses())
    names.push_back(loss.name());
  EXPECT_EQ(names, (std::vector<std::string>{"in_batch_softmax", "contrastive", "contrastive_2", "spread_out",
                                             "contrastive_3"}));
}

// Whoever adds an enum or a oneof to the spec must give it a default.
TEST(ModelReader, LeavesNothingOpen) {
  using namespace google::protobuf;
  std::string text = goodSpec;
  text = text.substr(0, text.find("training")) + "losses { spread_out { tower: \"item\" } }\n";
  Model model = read(text).model;
  std::function<void(const Message &)> visit = [&](const Message &message) {
    const Descriptor &type = *message.GetDescriptor();
    const Reflection &reflection = *message.GetReflection();
    for (int i = 0; i < type.real_oneof_decl_count(); ++i)
      EXPECT_TRUE(reflection.HasOneof(message, type.oneof_decl(i))) << type.oneof_decl(i)->full_name();
    for (int i = 0; i < type.field_count(); ++i) {
      const FieldDescriptor *field = type.field(i);
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
        EXPECT_NE(reflection.GetEnumValue(message, field), 0) << field->full_name();
      }
      if (field->has_optional_keyword()) {
        EXPECT_TRUE(reflection.HasField(message, field)) << field->full_name();
      }
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING && !field->is_repeated()) {
        EXPECT_NE(reflection.GetString(message, field), "") << field->full_name();
      }
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE)
        continue;
      if (field->is_repeated())
        for (int j = 0; j < reflection.FieldSize(message, field); ++j)
          visit(reflection.GetRepeatedMessage(message, field, j));
      else if (!field->containing_oneof() || reflection.HasField(message, field))
        visit(reflection.GetMessage(message, field));
    }
  };
  visit(model);
}

TEST(ModelReader, KnowsWherePartsAreWritten) {
  Spec spec = read(goodSpec);
  std::string text = goodSpec;
  auto at = [&](const std::string &path) { return spec.positionOf(path).str(); };
  EXPECT_EQ(at("tables[1]"), "spec:3:1");
  EXPECT_EQ(at("entities[0].features[1]"), "spec:" + placeOf(text, "features { name: \"words\""));
  EXPECT_EQ(at("towers[0].layers[1]"), "spec:15:3");
  EXPECT_EQ(at("towers[0].features[1]"), "spec:" + placeOf(text, "\"words\"]"));
  EXPECT_EQ(at("losses[1].contrastive.batch"), "spec:" + placeOf(text, "batch: 32"));
  EXPECT_EQ(spec.valuePositionOf("losses[1].contrastive.batch").str(), "spec:" + placeOf(text, "32"));
  EXPECT_EQ(at("losses[1].contrastive.temperature"), "spec:" + placeOf(text, "contrastive")); // a default
  EXPECT_EQ(at("towers[1].features[0]"), "spec:" + placeOf(text, "towers {\n  name: \"item\""));
  EXPECT_EQ(at("training.dense.adam"), "spec:" + placeOf(text, "adam"));
  EXPECT_EQ(at("nothing"), "spec:1:1");
  EXPECT_TRUE(spec.isWritten("training.batch"));
  EXPECT_FALSE(spec.isWritten("training.seed"));
}

TEST(ModelReader, KnowsWhereElementsOfListsAreWritten) {
  std::string text = replaced(goodSpec, "  layers { units: 16 activation: RELU }\n  layers { units: 8 }\n",
                              "  layers: [{ units: 16 }, { units: 12 }]\n  layers { units: 8 }\n");
  Spec spec = read(text);
  EXPECT_EQ(spec.positionOf("towers[0].layers[1]").str(), "spec:" + placeOf(text, "{ units: 12"));
  EXPECT_EQ(spec.positionOf("towers[0].layers[2]").str(), "spec:" + placeOf(text, "layers { units: 8"));
}

static Spec overridden(const std::string &assignment) { return read(goodSpec, {{assignment}, ""}); }

TEST(ModelReader, OverridesAnyField) {
  EXPECT_FLOAT_EQ(overridden("losses[1].weight=0.3").model.losses(1).weight(), 0.3f);
  EXPECT_FLOAT_EQ(overridden("losses[ssl].weight=0").model.losses(1).weight(), 0);
  EXPECT_EQ(overridden("training.seed=7").model.training().seed(), 7u);
  EXPECT_EQ(overridden("towers[0].layers[0].units=64").model.towers(0).layers(0).units(), 64u);
  EXPECT_EQ(overridden("losses[0].in_batch_softmax.logq=COUNTED").model.losses(0).in_batch_softmax().logq(), COUNTED);
  EXPECT_EQ(overridden("tables[word].dim=3").model.tables(1).dim(), 3u);
  EXPECT_EQ(overridden("losses[1].name=other").model.losses(1).name(), "other");
  EXPECT_EQ(overridden("losses[1].name=\"other\"").model.losses(1).name(), "other");
  EXPECT_EQ(overridden("towers[0].features[1]=size").model.towers(0).features(1), "size");
  EXPECT_EQ(overridden("towers[0].features=[\"words\"]").model.towers(0).features_size(), 1);
  EXPECT_EQ(overridden("losses[1].contrastive.augmentation={mask: CORRELATED}")
                .model.losses(1)
                .contrastive()
                .augmentation()
                .masked_features(),
            2u);
  EXPECT_EQ(
      overridden("entities[item].features[words].multi.pooling=SUM").model.entities(0).features(1).multi().pooling(),
      SUM);
}

TEST(ModelReader, OverridesReplaceWholeElements) {
  Model model = overridden("towers[query].layers[1]={units: 8 activation: TANH}").model;
  EXPECT_EQ(model.towers(0).layers(1).activation(), TANH);
  EXPECT_EQ(overridden("towers[query].layers=[{units: 8}]").model.towers(0).layers_size(), 1);
}

TEST(ModelReader, OverridesReplaceOneKindByAnother) {
  Model model = overridden("training.dense.sgd.rate=0.5").model;
  EXPECT_FALSE(model.training().dense().has_adam());
  EXPECT_FLOAT_EQ(model.training().dense().sgd().rate(), 0.5f);
  EXPECT_EQ(overridden("training.steps=99").model.training().steps(), 99u);
}

TEST(ModelReader, LaterOverridesWin) {
  Spec spec = read(goodSpec, {{"training.seed=7", "training.seed=8"}, ""});
  EXPECT_EQ(spec.model.training().seed(), 8u);
  EXPECT_EQ(spec.positionOf("training.seed").str(), "--set training.seed=8");
}

TEST(ModelReader, OverriddenPartsAreAtTheFlag) {
  Spec spec = overridden("losses[ssl].weight=0.3");
  EXPECT_EQ(spec.positionOf("losses[1].weight").str(), "--set losses[ssl].weight=0.3");
  EXPECT_EQ(spec.positionOf("losses[1]").line, 26);
}

TEST(ModelReader, TheSourceShowsOverrides) {
  EXPECT_EQ(read(goodSpec).source, goodSpec);
  Spec spec = overridden("training.seed=7");
  Model again;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(spec.source, &again));
  EXPECT_EQ(again.training().seed(), 7u);
  EXPECT_FALSE(again.training().dense().adam().has_rate()); // without defaults
}

static void expectOverrideError(const std::string &assignment, const std::string &message) {
  EXPECT_EQ(problems(goodSpec, {{assignment}, ""}), "--set " + assignment + ": error: " + message + "\n");
}

TEST(ModelReader, WrongOverridesNameTheFlagAndThePart) {
  expectOverrideError("seed", "PATH=VALUE is expected, for instance losses[1].weight=0.3");
  expectOverrideError("=3", "PATH=VALUE is expected, for instance losses[1].weight=0.3");
  expectOverrideError("losses[1].wieght=0.3", "Loss has no field \"wieght\"; did you mean \"weight\"?");
  expectOverrideError("losses[2].weight=0.3", "there is no losses[2]; allowed: losses[0] (main) or losses[1] (ssl)");
  expectOverrideError("losses[sll].weight=1", "there is no losses[sll]; allowed: losses[0] (main) or losses[1] (ssl)");
  expectOverrideError("losses.weight=1", "losses is a list; allowed: losses[0] (main) or losses[1] (ssl)");
  expectOverrideError("losses[1=1", "'[' is not closed by ']'");
  expectOverrideError("losses[1]weight=1", "found 'weight' after ']'; '.' or '=' is expected");
  expectOverrideError("training[0].seed=1", "training is no list");
  expectOverrideError("training.seed.value=1",
                      "training.seed has no fields; a whole number from 0 to 4294967295 is expected after it");
  expectOverrideError("training.seed=x", "seed: found x; allowed: a whole number from 0 to 4294967295");
  expectOverrideError("training.seed=",
                      "seed: found the end of the file; a whole number from 0 to 4294967295 is expected");
  expectOverrideError("training.seed=1 batch: 2", "found '1 batch: 2'; one value is expected");
  expectOverrideError("losses[0].in_batch_softmax.logq=COUNTD",
                      "logq: found COUNTD; allowed: NO_CORRECTION or COUNTED (did you mean COUNTED?)");
  expectOverrideError("losses[0].contrastive.temperature=1", "losses[0] is in_batch_softmax, not contrastive");
  expectOverrideError("towers[0].layers[0]=[{units: 1}, {units: 2}]",
                      "towers[0].layers[0] is one element; one value is expected");
  expectOverrideError("training.dense=adam", "training.dense is a Optimizer; set one of its fields: sgd, adagrad, "
                                             "rowwise_adagrad, adam or weight_decay, or all: {...}");
  expectOverrideError("losses[1].weight=-1", "losses[1].weight: found -1; allowed: a finite number >= 0");
}

TEST(ModelReader, HashesTellShapeFromOptions) {
  Spec base = read(goodSpec);
  EXPECT_EQ(shapeHash(base.model).size(), 16u);
  auto changes = [&](const std::string &assignment) {
    Spec spec = overridden(assignment);
    return std::string(shapeHash(spec.model) != shapeHash(base.model) ? "shape " : "") +
           (optionsHash(spec.model) != optionsHash(base.model) ? "options" : "");
  };
  for (const char *shape : {"tables[0].dim=5", "tables[0].rows=11", "towers[0].layers[0].units=17",
                            "towers[0].layers[0].activation=TANH", "entities[0].features[1].multi.pooling=SUM",
                            "towers[0].features[1]=size", "entities[0].features[2].dense.scaling=NONE"})
    EXPECT_EQ(changes(shape), "shape ") << shape;
  for (const char *options : {"losses[1].weight=1", "losses[0].in_batch_softmax.temperature=1", "training.seed=2",
                              "training.dense.adam.rate=0.1", "losses[1].contrastive.batch=8", "training.epochs=4",
                              "tables[0].initializer.normal=1", "towers[0].layers[0].initializer.normal=1",
                              "losses[1].contrastive.augmentation.value_dropout=0.1"})
    EXPECT_EQ(changes(options), "options") << options;
  EXPECT_EQ(changes("training.dense.sgd.rate=0.1"), "shape options");                     // other slots
  EXPECT_EQ(changes("losses[1].contrastive.augmentation.mask=NO_MASK"), "shape options"); // no default rows
  EXPECT_EQ(changes("entities[0].features[1].multi.max_values=7"), "");                   // the size of a buffer
}

// The example of docs/Spec.md and the reference's specs lack nothing but what their data would give.
TEST(ModelReader, AcceptsTheSpecsOfTheRepository) {
  namespace fs = std::filesystem;
  std::vector<fs::path> files = {fs::path(SOURCE_DIR) / "docs/spec-example.txtpb"};
  for (const fs::directory_entry &entry : fs::directory_iterator(fs::path(SOURCE_DIR) / "test/reference/specs"))
    files.push_back(entry.path());
  EXPECT_GE(files.size(), 6u);
  for (const fs::path &file : files) {
    SpecDiagnostics diagnostics;
    readSpec(file.string(), {}, diagnostics);
    for (const SpecDiagnostic &diagnostic : diagnostics.sorted())
      EXPECT_NE(diagnostic.message.find("pass --data DIR"), std::string::npos)
          << diagnostic.position.str() << ": " << diagnostic.message;
  }
}
