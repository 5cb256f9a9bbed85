// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Flags of a command, declared once: the parser, its messages and --help all come from the declarations.
#ifndef TOWER_RUNTIME_FLAGS_H
#define TOWER_RUNTIME_FLAGS_H

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace tower::rt {

/// Declares and parses `--name value`, `--name=value`, `--switch` and `--no-switch`; one dash is as good as two.
/// What a target holds when its flag is declared is the default that help shows.
class Flags {
public:
  /// `command`: "EXE train"; `summary`: what the command does, one or more lines.
  Flags(std::string command, std::string summary);

  /// Each returns *this. `value` names the value in help ("FILE"); `help` is one sentence.
  Flags &toggle(std::string name, bool &target, std::string help);
  Flags &toggle(std::string name, std::optional<bool> &target, std::string help, std::string fallback);
  /// `allowed`, if any, looks at what is given: it must be as `value` says.
  Flags &text(std::string name, std::string &target, std::string value, std::string help,
              bool (*allowed)(const std::string &) = nullptr);
  Flags &choice(std::string name, std::string &target, std::vector<std::string> allowed, std::string help);
  /// A whole number of at least `least`; `fallback` says in help what an absent flag means.
  Flags &integer(std::string name, std::optional<int64_t> &target, int64_t least, std::string value, std::string help,
                 std::string fallback);
  /// A number in (0, 1].
  Flags &fraction(std::string name, std::optional<double> &target, std::string value, std::string help,
                  std::string fallback);
  /// Whole numbers of at least 1, divided by commas.
  Flags &integers(std::string name, std::vector<int64_t> &target, std::string value, std::string help);
  /// The flag of that name must be given.
  Flags &require(std::string name);

  /// Parses what follows the command. Returns nothing, or what is wrong and what to do. Stops early at --help.
  std::optional<std::string> parse(const std::vector<std::string> &arguments);

  bool helpWanted() const { return wantsHelp; }
  std::string help() const;

private:
  struct Flag {
    std::string name, value, help, fallback;
    bool isSwitch = false, required = false, given = false;
    /// Stores a value; returns what is allowed when the text is not.
    std::function<std::optional<std::string>(const std::string &)> store = {};
  };
  Flag *find(const std::string &name);
  std::optional<std::string> unknown(const std::string &argument, const std::string &name) const;

  std::string command, summary;
  std::vector<Flag> flags;
  bool wantsHelp = false;
};

} // namespace tower::rt

#endif // TOWER_RUNTIME_FLAGS_H
