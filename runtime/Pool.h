// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The thread pool behind `tower_rt_parallel`. Pieces are handed out one by one by an atomic ticket, the caller takes
// part, and a call allocates nothing. Which thread runs a piece is open; what a piece computes must not depend on it.
#ifndef TOWER_RUNTIME_POOL_H
#define TOWER_RUNTIME_POOL_H

#include "runtime/tower_abi.h"

#include <atomic>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

struct tower_rt {
  /// `threads` counts the caller; 0: one for each CPU that this process may use. 1 starts no thread.
  explicit tower_rt(unsigned threads = 0);
  ~tower_rt();
  tower_rt(const tower_rt &) = delete;
  tower_rt &operator=(const tower_rt &) = delete;

  unsigned threads() const { return static_cast<unsigned>(workers.size()) + 1; }

  /// Runs body(frame, 0) ... body(frame, pieces - 1) and returns when all are done. A call made while another one is
  /// under way (from inside a piece, or from a second thread) runs its pieces on its own thread.
  void run(tower_body body, void *frame, int64_t pieces);

private:
  void runShared(tower_body body, void *frame, int64_t first, uint32_t pieces);
  void takePieces(uint32_t job);
  void work();

  // The job under way. A thread may use these only while `ticket` shows the job's number and a piece below `pieces`.
  std::atomic<tower_body> body{nullptr};
  std::atomic<void *> frame{nullptr};
  std::atomic<int64_t> first{0};
  std::atomic<uint32_t> pieces{0};

  alignas(64) std::atomic<uint64_t> ticket{0}; // number of the job << 32 | pieces left to take
  alignas(64) std::atomic<uint32_t> done{0};   // finished pieces of the job
  alignas(64) std::atomic<uint32_t> posted{0}; // number of the newest job: what idle workers wait for
  alignas(64) std::atomic<bool> busy{false};
  std::atomic<bool> stopping{false};
  std::vector<std::thread> workers;
};

namespace tower::rt {

using Pool = ::tower_rt;

/// Calls function(piece) for every piece in [0, pieces), on any thread. The function must not throw.
template <class Function> void parallel(Pool &pool, int64_t pieces, Function &&function) {
  using Body = std::remove_reference_t<Function>;
  pool.run([](void *frame, int64_t piece) { (*static_cast<Body *>(frame))(piece); },
           const_cast<std::remove_const_t<Body> *>(std::addressof(function)), pieces);
}

} // namespace tower::rt
#endif
