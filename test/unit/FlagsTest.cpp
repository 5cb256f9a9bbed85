// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The flag parser: what it accepts, what it says.
#include "runtime/Flags.h"
#include "runtime/Nearest.h"

#include <gtest/gtest.h>

using namespace tower::rt;

namespace {
struct Example {
  std::string data, split = "test";
  std::optional<int64_t> epochs;
  std::optional<double> fraction;
  std::vector<int64_t> ks{10, 50};
  bool json = false;
  std::optional<bool> exclude;
  Flags flags{"exe train", "Trains."};

  Example() {
    flags.text("data", data, "DIR", "The dataset.").require("data");
    flags.choice("split", split, {"test", "validation"}, "Which pairs.");
    flags.integer("epochs", epochs, 1, "N", "Passes.", "the spec's");
    flags.fraction("fraction", fraction, "F", "Part of the pairs.", "1");
    flags.integers("k", ks, "LIST", "Cut-offs.");
    flags.toggle("json", json, "JSON.");
    flags.toggle("exclude-query", exclude, "Leave it out.", "on when entities are the same");
  }
};
} // namespace

TEST(Flags, AcceptEveryForm) {
  Example e;
  EXPECT_EQ(
      e.flags.parse({"--data", "d", "--epochs=3", "-k", "5,7", "--json", "--no-exclude-query", "--fraction", "0.1"}),
      std::nullopt);
  EXPECT_EQ(e.data, "d");
  EXPECT_EQ(e.epochs, 3);
  EXPECT_EQ(e.ks, (std::vector<int64_t>{5, 7}));
  EXPECT_TRUE(e.json);
  EXPECT_EQ(e.exclude, false);
  EXPECT_EQ(e.fraction, 0.1);
}

TEST(Flags, SwitchesTakeTrueAndFalse) {
  Example e;
  EXPECT_EQ(e.flags.parse({"--data=d", "--json=true", "--exclude-query=false"}), std::nullopt);
  EXPECT_TRUE(e.json);
  EXPECT_EQ(e.exclude, false);
}

TEST(Flags, UnknownFlagNamesTheNearest) {
  Example e;
  EXPECT_EQ(e.flags.parse({"--epoch", "3"}),
            "unknown flag '--epoch'. Did you mean '--epochs'? 'exe train --help' lists all flags");
}

TEST(Flags, SayWhatIsAllowed) {
  auto message = [](std::vector<std::string> arguments) { return Example().flags.parse(arguments).value_or(""); };
  EXPECT_EQ(message({"--data", "d", "--epochs", "0"}),
            "flag '--epochs' is '0', but must be a whole number of at least 1");
  EXPECT_EQ(message({"--epochs", "3x"}), "flag '--epochs' is '3x', but must be a whole number of at least 1");
  EXPECT_EQ(message({"--fraction", "1.5"}), "flag '--fraction' is '1.5', but must be a number above 0 and at most 1");
  EXPECT_EQ(message({"--split", "train"}), "flag '--split' is 'train', but must be test or validation");
  EXPECT_EQ(message({"-k", "5,,7"}),
            "flag '--k' is '5,,7', but must be whole numbers of at least 1, divided by commas");
  EXPECT_EQ(message({"--json=1"}), "flag '--json' is '1', but must be true or false");
  EXPECT_EQ(message({"--data"}), "flag '--data' needs a value: --data DIR");
  EXPECT_EQ(message({"--json"}), "flag '--data' is missing: add --data DIR");
  EXPECT_EQ(message({"d"}), "unexpected argument 'd': 'exe train' takes flags only, see 'exe train --help'");
  EXPECT_EQ(message({"--no-split", "x"}).substr(0, 25), "unknown flag '--no-split'");
}

TEST(Flags, HelpShowsUsageDefaultsAndRequirements) {
  Example e;
  EXPECT_EQ(e.flags.parse({"--help", "--nonsense"}), std::nullopt);
  EXPECT_TRUE(e.flags.helpWanted());
  std::string help = e.flags.help();
  EXPECT_NE(help.find("Usage: exe train --data DIR [flags]\n"), std::string::npos);
  EXPECT_NE(help.find("--data DIR               The dataset. Required.\n"), std::string::npos) << help;
  EXPECT_NE(help.find("Cut-offs. Default: 10,50.\n"), std::string::npos);
  EXPECT_NE(help.find("Default: on when entities are the same.\n"), std::string::npos);
}

TEST(Nearest, EditDistanceCountsSwapsOnce) {
  EXPECT_EQ(editDistance("", "abc"), 3);
  EXPECT_EQ(editDistance("kitten", "sitting"), 3);
  EXPECT_EQ(editDistance("recal", "recla"), 1);
}

TEST(Nearest, NamesAreNearestFirstAndNothingFarIsOffered) {
  std::vector<std::string> names{"vim-tiny", "vim", "emacs", "vom", "nano"};
  EXPECT_EQ(nearestNames("vin", names), (std::vector<std::string>{"vim"}));
  EXPECT_EQ(nearestNames("vi", names), (std::vector<std::string>{"vim", "vim-tiny"}));
  EXPECT_TRUE(nearestNames("postgresql", names).empty());
  EXPECT_EQ(didYouMean({"a", "b", "c"}), " Did you mean 'a', 'b' or 'c'?");
  EXPECT_EQ(didYouMean({}), "");
}
