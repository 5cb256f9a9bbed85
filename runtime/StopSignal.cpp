// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Signal handlers that set a flag.
#include "runtime/StopSignal.h"

#include <csignal>

namespace tower::rt {

namespace {
volatile std::sig_atomic_t stopRequested = 0;

void note(int) { stopRequested = 1; }

void handle(void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  // RESETHAND: the second signal meets the default action. RESTART: a write in progress is not cut short.
  action.sa_flags = SA_RESTART | (handler == SIG_DFL ? 0 : static_cast<int>(SA_RESETHAND));
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}
} // namespace

StopSignal::StopSignal() {
  stopRequested = 0;
  handle(note);
}
StopSignal::~StopSignal() { handle(SIG_DFL); }

bool StopSignal::requested() const { return stopRequested != 0; }

} // namespace tower::rt
