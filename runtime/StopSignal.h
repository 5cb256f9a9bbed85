// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ctrl-C and SIGTERM as a request that a loop can ask for between steps.
#ifndef TOWER_RUNTIME_STOPSIGNAL_H
#define TOWER_RUNTIME_STOPSIGNAL_H

namespace tower::rt {

/// While one lives, the first SIGINT or SIGTERM only notes the request; a second one ends the process at once.
class StopSignal {
public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal &) = delete;
  StopSignal &operator=(const StopSignal &) = delete;

  bool requested() const;
};

} // namespace tower::rt

#endif // TOWER_RUNTIME_STOPSIGNAL_H
