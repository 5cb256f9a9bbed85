// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Metrics of a training run as files: JSON lines and TensorBoard events.
#ifndef TOWER_RUNTIME_METRICSLOG_H
#define TOWER_RUNTIME_METRICSLOG_H

#include "runtime/EventFile.h"

#include <cstdio>
#include <memory>
#include <string>

namespace tower::rt {

/// DIR/train.jsonl has an object a line: "step" and the values by name. DIR/events.out.tfevents.* is for TensorBoard.
/// Both are flushed line by line.
class MetricsLog {
public:
  /// Creates `directory` if need be. With `firstStep` > 0 the run continues: lines of later steps, which a run that
  /// was cut left behind, are removed from train.jsonl. Throws Error.
  void open(const std::string &directory, int64_t firstStep);

  /// Does nothing before open(). Throws Error (a full disk, say).
  void write(int64_t step, const Scalars &scalars);

private:
  struct Close {
    void operator()(std::FILE *file) const { std::fclose(file); }
  };
  using File = std::unique_ptr<std::FILE, Close>;
  void put(File &file, const std::string &path, const std::string &bytes);

  std::string linesPath, eventsPath;
  File lines, events;
};

} // namespace tower::rt

#endif // TOWER_RUNTIME_METRICSLOG_H
