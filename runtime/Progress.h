// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What training shows while it runs: a bar on a terminal, a line every few seconds elsewhere.
#ifndef TOWER_RUNTIME_PROGRESS_H
#define TOWER_RUNTIME_PROGRESS_H

#include <chrono>
#include <cstdint>
#include <ostream>
#include <string>

namespace tower::rt {

/// "1h02m", "3m05s", "12s".
std::string shownSeconds(double seconds);
/// 1234567 as "1,234,567".
std::string shownCount(int64_t count);

/// Writes to `out`: a bar where that is standard error and a terminal, else lines.
class Progress {
public:
  /// `quiet`: only messages() are written.
  Progress(std::ostream &out, int64_t firstStep, int64_t totalSteps, int64_t stepsPerEpoch, int64_t batch, bool quiet);

  /// After `step` steps in all, with the mean loss since the last report. Cheap to call after every step.
  void update(int64_t step, double loss);
  /// A line of its own, above the bar.
  void message(const std::string &text);
  /// Removes the bar.
  void finish();
  /// Training pairs a second since the start, without what pause() covered.
  double examplesPerSecond(int64_t step) const;
  /// Time between pause() and resume() (validation, say) does not count as training.
  void pause();
  void resume();

private:
  using Clock = std::chrono::steady_clock;
  double trainingSeconds() const;

  std::ostream &out;
  int64_t firstStep, totalSteps, stepsPerEpoch, batch;
  bool quiet, terminal, shown = false;
  Clock::time_point start, lastShown, pausedAt;
  Clock::duration paused{};
  bool isPaused = false;
};

} // namespace tower::rt

#endif // TOWER_RUNTIME_PROGRESS_H
