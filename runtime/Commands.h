// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The commands of a compiled model's executable.
#ifndef TOWER_RUNTIME_COMMANDS_H
#define TOWER_RUNTIME_COMMANDS_H

#include "runtime/Checkpoint.h"
#include "runtime/Dataset.h"
#include "runtime/Flags.h"
#include "runtime/Model.h"
#include "runtime/tower_abi.h"

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace tower::rt {

enum ExitCode { Success = 0, Failure = 1, Usage = 2 };

/// One run of the executable: results go to `out`, everything else to `err`.
struct Invocation {
  const tower_program_v1 &program;
  std::string executable;             ///< as the user called it, without folders
  std::vector<std::string> arguments; ///< what follows the command
  std::istream &in;
  std::ostream &out, &err;
};

/// Runs `EXE COMMAND ...` (arguments[0] is EXE) and returns the exit code. No exception leaves it: every failure is one
/// line on `err`.
int runExecutable(const tower_program_v1 &program, const std::vector<std::string> &arguments, std::istream &in,
                  std::ostream &out, std::ostream &err);

/// Each parses its flags, does its work and returns the exit code; failures other than wrong flags are thrown as Error.
int trainCommand(Invocation &invocation);
int evaluateCommand(Invocation &invocation);
int recommendCommand(Invocation &invocation);
int embedCommand(Invocation &invocation);
int infoCommand(Invocation &invocation);

/// "NAME, compiled by towerc VERSION for TRIPLE (CPU, ...)".
std::string origin(const Manifest &manifest);

/// Parses the flags. A value is the exit code with which the command has to end at once: help was shown, or a message.
std::optional<int> parseFlags(Flags &flags, Invocation &invocation);

/// The flags of every command that reads a trained model.
struct ModelFlags {
  std::string data, checkpoint, device = defaultDevice();
  std::optional<int64_t> threads;

  void declare(Flags &flags);
};

/// --device, of all commands that run the model.
void declareDevice(Flags &flags, std::string &device);

/// A pool of so many threads, at most 1024; none given: one for each CPU.
unsigned threadCount(std::optional<int64_t> threads);

/// A trained model with its data. A checkpoint that was trained on other data is said on `err` and used.
struct TrainedModel {
  Pool pool;
  std::unique_ptr<Place> place; ///< handed to the model
  Dataset data;
  Model model;
  CheckpointInfo checkpoint;

  TrainedModel(Invocation &invocation, const ModelFlags &flags);

  /// Do queries and items have the same rows?
  bool siamese() const;
};

} // namespace tower::rt

#endif // TOWER_RUNTIME_COMMANDS_H
