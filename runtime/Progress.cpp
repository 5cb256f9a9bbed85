// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The progress bar.
#include "runtime/Progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <sys/ioctl.h>
#include <unistd.h>

namespace tower::rt {

std::string shownSeconds(double seconds) {
  auto whole = static_cast<long long>(std::llround(std::max(0.0, seconds)));
  char text[64];
  if (whole >= 3600)
    std::snprintf(text, sizeof text, "%lldh%02lldm", whole / 3600, whole / 60 % 60);
  else if (whole >= 60)
    std::snprintf(text, sizeof text, "%lldm%02llds", whole / 60, whole % 60);
  else
    std::snprintf(text, sizeof text, "%llds", whole);
  return text;
}

std::string shownCount(int64_t count) {
  std::string text = std::to_string(count);
  for (int64_t i = static_cast<int64_t>(text.size()) - 3; i > (count < 0 ? 1 : 0); i -= 3)
    text.insert(i, ",");
  return text;
}

namespace {
int64_t terminalColumns() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}
} // namespace

Progress::Progress(std::ostream &out, int64_t firstStep, int64_t totalSteps, int64_t stepsPerEpoch, int64_t batch,
                   bool quiet)
    : out(out), firstStep(firstStep), totalSteps(totalSteps), stepsPerEpoch(stepsPerEpoch), batch(batch), quiet(quiet),
      terminal(&out == &std::cerr && isatty(STDERR_FILENO)), start(Clock::now()), lastShown(start) {}

double Progress::trainingSeconds() const {
  Clock::time_point now = isPaused ? pausedAt : Clock::now();
  return std::chrono::duration<double>(now - start - paused).count();
}

double Progress::examplesPerSecond(int64_t step) const {
  double seconds = trainingSeconds();
  return seconds > 0 ? static_cast<double>((step - firstStep) * batch) / seconds : 0;
}

void Progress::pause() {
  isPaused = true;
  pausedAt = Clock::now();
}

void Progress::resume() {
  paused += Clock::now() - pausedAt;
  isPaused = false;
}

void Progress::update(int64_t step, double loss) {
  if (quiet)
    return;
  double wait = terminal ? 0.2 : 10.0;
  Clock::time_point now = Clock::now();
  if (step < totalSteps && std::chrono::duration<double>(now - lastShown).count() < wait)
    return;
  lastShown = now;
  double rate = examplesPerSecond(step);
  double left = rate > 0 ? static_cast<double>((totalSteps - step) * batch) / rate : 0;
  char text[256];
  int64_t epoch = (step - 1) / stepsPerEpoch + 1, epochs = (totalSteps - 1) / stepsPerEpoch + 1;
  std::snprintf(text, sizeof text, "step %lld/%lld  epoch %lld/%lld  loss %.4f  %s examples/s  %s left",
                static_cast<long long>(step), static_cast<long long>(totalSteps), static_cast<long long>(epoch),
                static_cast<long long>(epochs), loss, shownCount(std::llround(rate)).c_str(),
                shownSeconds(left).c_str());
  if (!terminal) {
    out << text << std::endl;
    return;
  }
  // A line that wraps could not be drawn over: the bar takes what the text leaves.
  int64_t columns = terminalColumns();
  std::string line(text);
  int64_t width = std::min<int64_t>(24, columns - 4 - static_cast<int64_t>(line.size()));
  if (width >= 8) {
    int64_t full = width * step / totalSteps;
    line = "[" + std::string(full, '#') + std::string(width - full, '.') + "] " + line;
  }
  out << "\r" << line.substr(0, columns - 1) << "\x1b[K" << std::flush;
  shown = true;
}

void Progress::finish() {
  if (shown)
    out << "\r\x1b[K" << std::flush;
  shown = false;
}

void Progress::message(const std::string &text) {
  finish();
  out << text << std::endl;
}

} // namespace tower::rt
