// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The thread pool: threads around a JobBoard. And what generated code calls of it and of its launcher.
#include "runtime/Pool.h"

#include <sched.h>

namespace {

unsigned availableCpus() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0)
    return static_cast<unsigned>(CPU_COUNT(&set));
  unsigned count = std::thread::hardware_concurrency();
  return count ? count : 1;
}

} // namespace

tower_rt::tower_rt(unsigned threads) : board(threads ? threads : availableCpus()) {
  workers.reserve(board.threads() - 1);
  for (unsigned i = 1; i < board.threads(); ++i)
    workers.emplace_back([this, i] { board.work(i); });
}

tower_rt::~tower_rt() {
  board.stop();
  for (std::thread &worker : workers)
    worker.join();
}

void tower_rt::run(tower_body body, void *frame, int64_t count) {
  if (count <= 1 || workers.empty() || busy.exchange(true, std::memory_order_acquire)) {
    for (int64_t piece = 0; piece < count; ++piece)
      body(frame, piece);
    return;
  }
  constexpr int64_t most = decltype(board)::kMostPieces;
  for (int64_t begin = 0; begin < count; begin += most)
    board.run(body, frame, begin, static_cast<uint32_t>(count - begin < most ? count - begin : most));
  busy.store(false, std::memory_order_release);
}

extern "C" void tower_rt_parallel(tower_rt *runtime, tower_body body, void *frame, int64_t pieces) {
  runtime->run(body, frame, pieces);
}

extern "C" void tower_rt_launch(tower_rt *runtime, const tower_kernel *kernel, int64_t blocks, int64_t warps,
                                void *const *arguments, int64_t num_arguments) {
  runtime->launcher->launch(*kernel, blocks, warps, arguments, num_arguments);
}

extern "C" void *tower_rt_stage(tower_rt *runtime, int64_t bytes) { return runtime->launcher->stage(bytes); }

extern "C" void tower_rt_upload(tower_rt *runtime, void *device, const void *host, int64_t bytes) {
  runtime->launcher->upload(device, host, bytes);
}
