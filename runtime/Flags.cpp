// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The flag parser.
#include "runtime/Flags.h"

#include "runtime/Nearest.h"

#include <algorithm>
#include <charconv>
#include <sstream>

namespace tower::rt {

namespace {
template <typename T> std::optional<T> parseNumber(const std::string &text) {
  T number{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    return std::nullopt;
  return number;
}

std::string joined(const std::vector<std::string> &words, const char *separator) {
  std::string text;
  for (const std::string &word : words)
    text += (text.empty() ? "" : separator) + word;
  return text;
}

/// What a switch does with its text; `Target` is bool or optional.
template <class Target> auto storeSwitch(Target &target) {
  return [&target](const std::string &text) -> std::optional<std::string> {
    if (text != "true" && text != "false")
      return "true or false";
    target = text == "true";
    return std::nullopt;
  };
}

} // namespace

Flags::Flags(std::string command, std::string summary) : command(std::move(command)), summary(std::move(summary)) {}

Flags &Flags::toggle(std::string name, bool &target, std::string help) {
  flags.push_back({.name = std::move(name), .value = "", .help = std::move(help), .fallback = target ? "on" : ""});
  flags.back().isSwitch = true;
  flags.back().store = storeSwitch(target);
  return *this;
}

Flags &Flags::toggle(std::string name, std::optional<bool> &target, std::string help, std::string fallback) {
  bool ignored = false;
  toggle(std::move(name), ignored, std::move(help));
  flags.back().fallback = std::move(fallback);
  flags.back().store = storeSwitch(target);
  return *this;
}

Flags &Flags::text(std::string name, std::string &target, std::string value, std::string help,
                   bool (*allowed)(const std::string &)) {
  flags.push_back({std::move(name), value, std::move(help), target});
  flags.back().store = [&target, value, allowed](const std::string &text) -> std::optional<std::string> {
    if (text.empty())
      return "a text that is not empty";
    if (allowed && !allowed(text))
      return value;
    target = text;
    return std::nullopt;
  };
  return *this;
}

Flags &Flags::choice(std::string name, std::string &target, std::vector<std::string> allowed, std::string help) {
  flags.push_back({std::move(name), joined(allowed, "|"), std::move(help), target});
  flags.back().store = [&target, allowed = std::move(allowed)](const std::string &text) -> std::optional<std::string> {
    if (std::find(allowed.begin(), allowed.end(), text) == allowed.end())
      return joined(allowed, " or ");
    target = text;
    return std::nullopt;
  };
  return *this;
}

Flags &Flags::integer(std::string name, std::optional<int64_t> &target, int64_t least, std::string value,
                      std::string help, std::string fallback) {
  flags.push_back({std::move(name), std::move(value), std::move(help), std::move(fallback)});
  flags.back().store = [&target, least](const std::string &text) -> std::optional<std::string> {
    auto number = parseNumber<int64_t>(text);
    if (!number || *number < least)
      return "a whole number of at least " + std::to_string(least);
    target = *number;
    return std::nullopt;
  };
  return *this;
}

Flags &Flags::fraction(std::string name, std::optional<double> &target, std::string value, std::string help,
                       std::string fallback) {
  flags.push_back({std::move(name), std::move(value), std::move(help), std::move(fallback)});
  flags.back().store = [&target](const std::string &text) -> std::optional<std::string> {
    auto number = parseNumber<double>(text);
    if (!number || !(*number > 0 && *number <= 1))
      return "a number above 0 and at most 1";
    target = *number;
    return std::nullopt;
  };
  return *this;
}

Flags &Flags::integers(std::string name, std::vector<int64_t> &target, std::string value, std::string help) {
  std::vector<std::string> defaults;
  for (int64_t number : target)
    defaults.push_back(std::to_string(number));
  flags.push_back({std::move(name), std::move(value), std::move(help), joined(defaults, ",")});
  flags.back().store = [&target](const std::string &text) -> std::optional<std::string> {
    std::vector<int64_t> numbers;
    std::istringstream in(text + ",");
    for (std::string word; std::getline(in, word, ',');) {
      auto number = parseNumber<int64_t>(word);
      if (!number || *number < 1)
        return "whole numbers of at least 1, divided by commas";
      numbers.push_back(*number);
    }
    target = std::move(numbers);
    return std::nullopt;
  };
  return *this;
}

Flags &Flags::require(std::string name) {
  find(name)->required = true;
  return *this;
}

Flags::Flag *Flags::find(const std::string &name) {
  auto found = std::find_if(flags.begin(), flags.end(), [&](const Flag &flag) { return flag.name == name; });
  return found == flags.end() ? nullptr : &*found;
}

std::optional<std::string> Flags::unknown(const std::string &argument, const std::string &name) const {
  std::vector<std::string> names, candidates;
  for (const Flag &flag : flags)
    names.push_back(flag.name);
  for (const std::string &candidate : nearestNames(name, names))
    candidates.push_back("--" + candidate);
  return "unknown flag '" + argument + "'." + didYouMean(candidates) + " '" + command + " --help' lists all flags";
}

std::optional<std::string> Flags::parse(const std::vector<std::string> &arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string &argument = arguments[i];
    if (argument.size() < 2 || argument[0] != '-')
      return "unexpected argument '" + argument + "': '" + command + "' takes flags only, see '" + command + " --help'";
    std::string name = argument.substr(argument[1] == '-' ? 2 : 1);
    if (name == "help" || name == "h") {
      wantsHelp = true;
      return std::nullopt;
    }
    std::optional<std::string> value;
    if (size_t equals = name.find('='); equals != std::string::npos) {
      value = name.substr(equals + 1);
      name.resize(equals);
    }
    Flag *flag = find(name);
    if (!flag && name.starts_with("no-") && !value) {
      flag = find(name.substr(3));
      if (flag && flag->isSwitch)
        value = "false";
      else
        flag = nullptr;
    }
    if (!flag)
      return unknown("--" + name, name);
    if (!value && flag->isSwitch)
      value = "true";
    if (!value) {
      if (i + 1 == arguments.size())
        return "flag '--" + flag->name + "' needs a value: --" + flag->name + " " + flag->value;
      value = arguments[++i];
    }
    flag->given = true;
    if (auto allowed = flag->store(*value))
      return "flag '--" + flag->name + "' is '" + *value + "', but must be " + *allowed;
  }
  for (const Flag &flag : flags)
    if (flag.required && !flag.given)
      return "flag '--" + flag.name + "' is missing: add --" + flag.name + " " + flag.value;
  return std::nullopt;
}

std::string Flags::help() const {
  std::string usage = "Usage: " + command, list;
  size_t width = 0;
  auto shown = [](const Flag &flag) { return "--" + flag.name + (flag.isSwitch ? "" : " " + flag.value); };
  for (const Flag &flag : flags)
    width = std::max(width, shown(flag).size());
  for (const Flag &flag : flags) {
    if (flag.required)
      usage += " " + shown(flag);
    std::string line = "  " + shown(flag);
    line.resize(width + 4, ' ');
    list += line + flag.help;
    if (flag.required)
      list += " Required.";
    else if (!flag.fallback.empty())
      list += " Default: " + flag.fallback + ".";
    list += "\n";
  }
  std::string last = "  --help";
  last.resize(width + 4, ' ');
  return usage + " [flags]\n\n" + summary + "\n\nFlags:\n" + list + last + "This text.\n";
}

} // namespace tower::rt
