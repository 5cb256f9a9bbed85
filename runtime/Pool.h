// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The thread pool behind `tower_rt_parallel`. Each thread begins with its own neighbouring pieces (JobBoard.h), the
// caller takes part, and a call allocates nothing. Idle workers spin for 50 microseconds before they sleep. Which
// thread runs a piece is open; what a piece computes must not depend on it.
#ifndef TOWER_RUNTIME_POOL_H
#define TOWER_RUNTIME_POOL_H

#include "runtime/Futex.h"
#include "runtime/JobBoard.h"
#include "runtime/tower_abi.h"

#include <atomic>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

namespace tower::rt {

/// What runs kernels for a program of a GPU (tower_rt_launch, tower_rt_stage, tower_rt_upload).
class Launcher {
public:
  virtual void launch(const tower_kernel &kernel, int64_t blocks, int64_t warps, void *const *arguments,
                      int64_t count) = 0;
  virtual void *stage(int64_t bytes) = 0;
  virtual void upload(void *device, const void *host, int64_t bytes) = 0;

protected:
  ~Launcher() = default;
};

} // namespace tower::rt

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

  tower::rt::Launcher *launcher = nullptr; ///< of the GPU in use

private:
  tower::rt::JobBoard<tower::rt::FutexSync> board;
  alignas(64) std::atomic<bool> busy{false};
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
