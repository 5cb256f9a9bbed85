// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes metrics.
#include "runtime/MetricsLog.h"

#include "runtime/Error.h"

#include <nlohmann/json.hpp>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace tower::rt {

namespace {
double secondsNow() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

[[noreturn]] void cannotWrite(const std::string &path) {
  throw Error("cannot write metrics to '" + path + "': " + errnoText(errno));
}

/// The lines of `path` up to `step`; lines that are no JSON (a cut last line) are dropped too.
std::string linesUpTo(const std::string &path, int64_t step) {
  std::ifstream in(path);
  std::string kept;
  for (std::string line; std::getline(in, line);) {
    auto parsed = nlohmann::json::parse(line, nullptr, false);
    if (parsed.is_object() && parsed.value("step", int64_t(-1)) <= step)
      kept += line + "\n";
  }
  return kept;
}
} // namespace

void MetricsLog::open(const std::string &directory, int64_t firstStep) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error)
    throw Error("cannot create the metrics folder '" + directory + "': " + error.message());
  double now = secondsNow();
  linesPath = directory + "/train.jsonl";
  eventsPath = directory + "/events.out.tfevents." + std::to_string(static_cast<long long>(now)) + "." +
               std::to_string(getpid());
  std::string kept = firstStep > 0 ? linesUpTo(linesPath, firstStep) : "";
  lines.reset(std::fopen(linesPath.c_str(), "w"));
  if (!lines)
    cannotWrite(linesPath);
  events.reset(std::fopen(eventsPath.c_str(), "wb"));
  if (!events)
    cannotWrite(eventsPath);
  put(lines, linesPath, kept);
  put(events, eventsPath, tfRecord(encodeVersionEvent(now)) + tfRecord(encodeStartEvent(now, firstStep + 1)));
}

void MetricsLog::write(int64_t step, const Scalars &scalars) {
  if (!lines)
    return;
  nlohmann::ordered_json line;
  line["step"] = step;
  for (const auto &[name, value] : scalars)
    line[name] = value;
  put(lines, linesPath, line.dump() + "\n");
  put(events, eventsPath, tfRecord(encodeScalarsEvent(secondsNow(), step, scalars)));
}

void MetricsLog::put(File &file, const std::string &path, const std::string &bytes) {
  bool written = std::fwrite(bytes.data(), 1, bytes.size(), file.get()) == bytes.size();
  if (!written || std::fflush(file.get()) != 0)
    cannotWrite(path);
}

} // namespace tower::rt
