// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// train: the same bytes however a run was cut, and the last good checkpoint whatever goes wrong.
#include "runtime/Checkpoint.h"
#include "runtime/Model.h"
#include "runtime/Prefetch.h"
#include "runtime/Trainer.h"
#include "test/unit/FakeData.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <sstream>
#include <sys/wait.h>

using namespace tower::test;
using namespace tower::rt;

namespace {
/// An environment variable for the time of a scope.
class Wish {
public:
  Wish(const char *variable, const std::string &value) : variable(variable) { setenv(variable, value.c_str(), 1); }
  ~Wish() { unsetenv(variable); }

private:
  const char *variable;
};

class Train : public ::testing::Test {
protected:
  Train() : path(folder / "data") { data.write(path); }
  std::vector<std::string> command(const std::string &name, const std::vector<std::string> &more) {
    std::vector<std::string> arguments{"train", "--data", path, "--checkpoint", file(name)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  Outcome train(const std::string &name, const std::vector<std::string> &more = {}) {
    return runFake(command(name, more));
  }
  /// The same with a model whose manifest has `from` replaced.
  Outcome trainChanged(const std::string &from, const std::string &to, const std::string &name,
                       const std::vector<std::string> &more) {
    std::string manifest(tower_program.manifest, static_cast<size_t>(tower_program.manifest_bytes));
    manifest.replace(manifest.find(from), from.size(), to);
    tower_program_v1 program = tower_program;
    program.manifest = manifest.c_str();
    program.manifest_bytes = static_cast<int64_t>(manifest.size());
    return runProgram(program, command(name, more));
  }
  /// Runs the program of its own; the result is as waitpid gives it.
  int spawn(const std::string &name, const std::vector<std::string> &more) {
    std::string line = "exec '" FAKE_TOWER "'";
    for (const std::string &argument : command(name, more))
      line += " '" + argument + "'";
    return std::system((line + " 2>/dev/null").c_str());
  }
  std::string file(const std::string &name) { return folder / (name + ".safetensors"); }
  std::string bytes(const std::string &name) { return folder.read(name + ".safetensors"); }

  TemporaryFolder folder;
  std::string path;
  FakeData data;
};
} // namespace

TEST_F(Train, KeepsTheLastAndTheBestCheckpoint) {
  Outcome outcome = train("m");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  CheckpointInfo last = readCheckpointInfo(file("m")), best = readCheckpointInfo(file("m.best"));
  int64_t perEpoch = static_cast<int64_t>(data.train.size()) / 8;
  EXPECT_EQ(last.step, 5 * perEpoch);
  EXPECT_EQ(best.step % perEpoch, 0);
  EXPECT_EQ(best.bestMetric, last.bestMetric);
  EXPECT_GT(best.bestMetric, 0);
  EXPECT_NE(outcome.err.find("step " + std::to_string(best.step) + ": validation recall@50 "), std::string::npos);
  EXPECT_NE(outcome.err.find("trained for " + std::to_string(last.step) + " steps; saved '" + file("m") + "'"),
            std::string::npos)
      << outcome.err;
}

TEST_F(Train, ThreadsDoNotChangeTheBytes) {
  ASSERT_EQ(train("one", {"--threads", "1"}).code, 0);
  ASSERT_EQ(train("three", {"--threads", "3"}).code, 0);
  EXPECT_EQ(bytes("one"), bytes("three"));
  ASSERT_EQ(train("seed", {"--seed", "2"}).code, 0);
  EXPECT_NE(bytes("one"), bytes("seed"));
}

// In step 13 (in mid-epoch), 26 (the last step before a validation) and 0; every 3 steps is a validation.
TEST_F(Train, ARunThatWasInterruptedEndsAsTheUncutRun) {
  std::vector<std::string> flags{"--steps", "37", "--validate-every", "3"};
  ASSERT_EQ(train("uncut", flags).code, 0);
  for (int step : {0, 13, 26}) {
    std::string name = "cut" + std::to_string(step);
    {
      Wish wish("FAKE_SIGNAL", std::to_string(step) + ":" + std::to_string(step == 13 ? SIGINT : SIGTERM));
      Outcome outcome = train(name, flags);
      EXPECT_EQ(outcome.code, 0) << outcome.err;
      EXPECT_NE(outcome.err.find("stopped after step " + std::to_string(step + 1) + " of 37; saved '" + file(name) +
                                 "': --resume goes on from there"),
                std::string::npos)
          << outcome.err;
      EXPECT_EQ(readCheckpointInfo(file(name)).step, step + 1);
    }
    // Length and seed are the checkpoint's own.
    Outcome outcome = train(name, {"--resume", "--threads", "3", "--validate-every", "3"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(bytes(name), bytes("uncut")) << step;
    EXPECT_EQ(bytes(name + ".best"), bytes("uncut.best")) << step;
  }
}

TEST_F(Train, ASignalBeforeTheFirstStepStopsWithAMessage) {
  std::vector<std::string> flags{"--steps", "20"}, resumed{"--resume"};
  ASSERT_EQ(train("uncut", flags).code, 0);
  Pool pool(1);
  Dataset dataset(path);
  Model model(tower_program, dataset, pool);
  auto stoppedAt = [&](int64_t step, bool resume) {
    std::ostringstream err;
    TrainOptions options;
    options.checkpoint = file("m");
    options.steps = 20;
    options.resume = resume;
    Trainer trainer(model, options, err);
    std::raise(SIGTERM);
    trainer.run();
    EXPECT_NE(err.str().find("stopped after step " + std::to_string(step) + " of 20; saved '" + file("m") +
                             "': --resume goes on from there"),
              std::string::npos)
        << err.str();
    EXPECT_EQ(readCheckpointInfo(file("m")).step, step);
  };
  stoppedAt(0, false);
  {
    Wish wish("FAKE_SIGNAL", "6:" + std::to_string(SIGTERM));
    ASSERT_EQ(train("m", resumed).code, 0);
  }
  stoppedAt(7, true);
  EXPECT_EQ(train("m", resumed).code, 0);
  EXPECT_EQ(bytes("m"), bytes("uncut"));
}

TEST_F(Train, ARunThatWasKilledEndsAsTheUncutRun) {
  std::vector<std::string> flags{"--steps", "37", "--validate-every", "5", "--seed", "3", "--fraction", "0.8"};
  ASSERT_EQ(train("uncut", flags).code, 0);
  flags.push_back("--resume");
  for (int step : {0, 4, 17, 18}) {
    std::string name = "killed" + std::to_string(step);
    {
      Wish wish("FAKE_SIGNAL", std::to_string(step) + ":" + std::to_string(SIGKILL));
      int status = spawn(name, flags);
      ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    }
    EXPECT_EQ(readCheckpointInfo(file(name)).step, step / 5 * 5);
    EXPECT_EQ(spawn(name, flags), 0);
    EXPECT_EQ(bytes(name), bytes("uncut")) << step;
    EXPECT_EQ(bytes(name + ".best"), bytes("uncut.best")) << step;
  }
}

// It holds no tensors, and yet every command can use it.
TEST_F(Train, ARunThatWasKilledAtOnceLeavesAModelOfFirstValues) {
  {
    Wish wish("FAKE_SIGNAL", "0:" + std::to_string(SIGKILL));
    int status = spawn("m", {"--seed", "3"});
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  }
  EXPECT_LT(bytes("m").size(), 2000u); // the tensors alone have 6144 bytes
  Pool pool(1);
  Dataset dataset(path);
  Model fresh(tower_program, dataset, pool), loaded(tower_program, dataset, pool);
  fresh.initialize(3);
  EXPECT_EQ(loaded.load(file("m")).seed, 3u);
  for (size_t i = 0; i < fresh.tensors().size(); ++i)
    EXPECT_TRUE(std::ranges::equal(fresh.tensors()[i], loaded.tensors()[i])) << i;
  Outcome outcome = runFake({"evaluate", "--data", path, "--checkpoint", file("m")});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
}

TEST_F(Train, ALossThatIsNotFiniteLeavesTheLastCheckpoint) {
  ASSERT_EQ(train("good", {"--steps", "10", "--validate-every", "5"}).code, 0);
  Wish wish("FAKE_POISON", "13:loss");
  Outcome outcome = train("good", {"--resume", "--steps", "20", "--validate-every", "5"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("fake train: error: step 14: loss/main is not a number; all tensors are finite. Training "
                             "stopped; '" +
                             file("good") + "' is as it was at step 10"),
            std::string::npos)
      << outcome.err;
  EXPECT_EQ(readCheckpointInfo(file("good")).step, 10);
}

TEST_F(Train, ATensorThatIsNotFiniteIsNamedAndNotSaved) {
  Wish wish("FAKE_POISON", "6:tensor");
  Outcome outcome = train("m", {"--steps", "7", "--validate-every", "3"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("tensor 'table/item' has an element that is not finite"), std::string::npos)
      << outcome.err;
  EXPECT_EQ(readCheckpointInfo(file("m")).step, 6);
}

TEST_F(Train, AStepAllocatesNothingAndMakesNoSystemCall) {
  Wish wish("FAKE_WATCH", "5:500");
  for (const char *threads : {"1", "3"}) {
    std::string line = "exec '" FAKE_TOWER "'";
    for (const std::string &argument :
         command("m", {"--overwrite", "--steps", "1000", "--validate-every", "1000", "--threads", threads}))
      line += " '" + argument + "'";
    EXPECT_EQ(std::system((line + " 2>'" + (folder / "said") + "'").c_str()), 0);
    EXPECT_EQ(folder.read("said"), "watched 500 steps: 0 allocations\n");
  }
}

TEST_F(Train, ResumeRefusesOtherDataAndOtherSeeds) {
  ASSERT_EQ(train("m", {"--steps", "10"}).code, 0);
  Outcome seed = train("m", {"--steps", "20", "--resume", "--seed", "2"});
  EXPECT_EQ(seed.code, 1);
  EXPECT_NE(seed.err.find("was trained with seed 1, not 2"), std::string::npos) << seed.err;
  Outcome fraction = train("m", {"--steps", "20", "--resume", "--fraction", "0.5"});
  EXPECT_EQ(fraction.code, 1);
  EXPECT_NE(fraction.err.find("on a fraction of 1 of the pairs, not 0.5"), std::string::npos) << fraction.err;
  data.train.pop_back();
  data.write(path);
  Outcome other = train("m", {"--steps", "20", "--resume"});
  EXPECT_EQ(other.code, 1);
  EXPECT_NE(other.err.find("--accept-other-data"), std::string::npos) << other.err;
  EXPECT_EQ(readCheckpointInfo(file("m")).step, 10);
  EXPECT_EQ(train("m", {"--steps", "20", "--resume", "--accept-other-data"}).code, 0);
  EXPECT_EQ(readCheckpointInfo(file("m")).step, 20);
}

TEST_F(Train, ACheckpointIsReplacedOnRequestOnly) {
  ASSERT_EQ(train("m", {"--steps", "10"}).code, 0);
  std::string last = bytes("m"), best = bytes("m.best");
  Outcome outcome = train("m", {"--steps", "5"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.err, "fake train: error: checkpoint '" + file("m") +
                             "' is there already: go on from it with --resume, or replace it with --overwrite\n");
  EXPECT_EQ(bytes("m"), last);
  EXPECT_EQ(bytes("m.best"), best);
  // The best one alone is worth as much.
  std::filesystem::remove(file("m"));
  for (std::vector<std::string> flags : {std::vector<std::string>{}, {"--resume"}}) {
    outcome = train("m", flags);
    EXPECT_EQ(outcome.code, 1);
    EXPECT_NE(outcome.err.find("checkpoint '" + file("m.best") + "' is there already, but not the one to go on from"),
              std::string::npos)
        << outcome.err;
  }
  EXPECT_EQ(bytes("m.best"), best);
  EXPECT_EQ(train("m", {"--steps", "5", "--overwrite"}).code, 0);
  EXPECT_EQ(readCheckpointInfo(file("m")).step, 5);
}

TEST_F(Train, ResumeOfAFinishedRunSaysSo) {
  ASSERT_EQ(train("m", {"--steps", "10"}).code, 0);
  std::string before = bytes("m");
  Outcome outcome = train("m", {"--resume"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.err.find("nothing to do"), std::string::npos) << outcome.err;
  EXPECT_EQ(bytes("m"), before);
}

TEST_F(Train, AFractionIsFixedWhateverTheSeed) {
  Outcome one = train("one", {"--steps", "1", "--fraction", "0.5", "--seed", "1"});
  Outcome two = train("two", {"--steps", "1", "--fraction", "0.5", "--seed", "2"});
  auto line = [](const Outcome &outcome) {
    size_t at = outcome.err.find("training on ");
    return at == std::string::npos ? "" : outcome.err.substr(at, outcome.err.find('\n', at) - at);
  };
  EXPECT_EQ(line(one), line(two));
  int pairs = 0, all = 0;
  ASSERT_EQ(std::sscanf(line(one).c_str(), "training on %d of %d pairs", &pairs, &all), 2) << one.err;
  EXPECT_EQ(all, static_cast<int>(data.train.size()));
  EXPECT_GT(pairs, all / 4);
  EXPECT_LT(pairs, 3 * all / 4);
}

TEST_F(Train, FewerPairsThanABatchIsAnError) {
  data.train.resize(7);
  data.write(path);
  Outcome outcome = train("m");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("7 training pairs, fewer than a batch of 8"), std::string::npos) << outcome.err;
  EXPECT_FALSE(std::filesystem::exists(file("m")));
}

TEST_F(Train, WithoutValidationPairsThereIsNoBest) {
  data.validation.clear();
  data.write(path);
  Outcome outcome = train("m", {"--steps", "30"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_NE(outcome.err.find("no validation pairs"), std::string::npos) << outcome.err;
  EXPECT_FALSE(std::filesystem::exists(file("m.best")));
}

TEST_F(Train, MetricsHoldLossesRatesAndValidation) {
  ASSERT_EQ(train("m", {"--steps", "6", "--validate-every", "3", "--metrics", folder / "metrics"}).code, 0);
  std::istringstream lines(folder.read("metrics/train.jsonl"));
  std::vector<nlohmann::json> found;
  for (std::string line; std::getline(lines, line);)
    found.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(found.size(), 8u);
  EXPECT_EQ(found[0]["step"], 1);
  EXPECT_EQ(found[0]["loss"], found[0]["loss/main"]);
  EXPECT_NEAR(found[0]["rate"], 1.0 / 3, 1e-6);
  EXPECT_EQ(found[3]["step"], 3);
  EXPECT_TRUE(found[3].contains("validation/recall@50"));
  EXPECT_NEAR(found[6]["rate"], 0.1, 1e-6);
}

TEST_F(Train, QuietSaysOnlyHowItEnded) {
  Outcome outcome = train("m", {"--steps", "30", "--quiet"});
  EXPECT_EQ(outcome.err.substr(0, 12), "trained for ");
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1);
  EXPECT_EQ(outcome.out, "");
}

TEST_F(Train, ACheckpointThatCannotBeWrittenIsSaidBeforeTheFirstStep) {
  Wish wish("FAKE_SIGNAL", "0:" + std::to_string(SIGKILL));
  Outcome outcome = train("none/m");
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("none/m.safetensors"), std::string::npos) << outcome.err;
}

TEST_F(Train, StopsEarlyWhenNothingGetsBetter) {
  std::vector<std::string> flags{"--steps", "400", "--validate-every", "2"};
  auto patient = [&](const std::string &name, std::vector<std::string> more = {}) {
    more.insert(more.begin(), flags.begin(), flags.end());
    return trainChanged("\"patience\": 0", "\"patience\": 3", name, more);
  };
  Outcome outcome = patient("m");
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  CheckpointInfo last = readCheckpointInfo(file("m")), best = readCheckpointInfo(file("m.best"));
  EXPECT_LT(last.step, 400);
  EXPECT_EQ(last.step, best.step + 3 * 2);
  EXPECT_NE(outcome.err.find("stopped early after step " + std::to_string(last.step)), std::string::npos);
  // Cut between the best validation and the end, it stops at the same step.
  {
    Wish wish("FAKE_SIGNAL", std::to_string(best.step + 2) + ":" + std::to_string(SIGTERM));
    ASSERT_EQ(patient("cut").code, 0);
  }
  EXPECT_EQ(readCheckpointInfo(file("cut")).step, best.step + 3);
  EXPECT_EQ(patient("cut", {"--resume"}).code, 0);
  EXPECT_EQ(bytes("cut"), bytes("m"));
  Outcome again = patient("m", {"--resume"});
  EXPECT_NE(again.err.find("nothing to do"), std::string::npos) << again.err;
}

TEST_F(Train, ResumeRefusesAnotherShapeAndAcceptsOtherOptions) {
  ASSERT_EQ(train("m", {"--steps", "5"}).code, 0);
  std::vector<std::string> flags{"--steps", "10", "--resume"};
  Outcome shape = trainChanged("0123456789abcdef", "0123456789abcdee", "m", flags);
  EXPECT_EQ(shape.code, 1);
  EXPECT_NE(shape.err.find(file("m")), std::string::npos) << shape.err;
  EXPECT_EQ(readCheckpointInfo(file("m")).step, 5);
  Outcome options = trainChanged("fedcba9876543210", "fedcba9876543211", "m", flags);
  EXPECT_EQ(options.code, 0) << options.err;
  EXPECT_NE(options.err.find("training options differ"), std::string::npos) << options.err;
  EXPECT_EQ(readCheckpointInfo(file("m")).optionsHash, "fedcba9876543211");
}

TEST_F(Train, PrefetchAsksForEverythingOrForABatch) {
  Dataset dataset(path);
  Manifest manifest = readManifest(tower_program);
  EXPECT_TRUE(Prefetch(manifest, dataset, dataset.pairs("train"), 1 << 20).whole());
  Prefetch batchwise(manifest, dataset, dataset.pairs("train"), 100);
  EXPECT_FALSE(batchwise.whole());
  for (int64_t step = 0; step < 100; ++step)
    batchwise.announce(step, 1);
}
