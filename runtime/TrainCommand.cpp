// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// EXE train.
#include "runtime/Commands.h"
#include "runtime/Trainer.h"

#include <ostream>

namespace tower::rt {

int trainCommand(Invocation &invocation) {
  std::string data, device = defaultDevice();
  std::optional<int64_t> threads;
  TrainOptions options;
  Flags flags(
      invocation.executable + " train",
      "Trains on the data's train split and writes a checkpoint at the start, at every validation and at the end.\n"
      "The checkpoint with the best validation recall@50 is kept beside it as NAME.best.safetensors. Ctrl-C finishes\n"
      "the step, saves and ends; --resume goes on, bit for bit, with any number of threads.");
  flags.text("data", data, "DIR", "The dataset's folder.").require("data");
  flags.text("checkpoint", options.checkpoint, "FILE", "Where the model is kept (.safetensors).").require("checkpoint");
  flags.integer("epochs", options.epochs, 1, "N", "Passes over the training pairs.", "the spec's");
  flags.integer("steps", options.steps, 1, "N", "Steps in all, instead of --epochs.", "the spec's");
  flags.integer("seed", options.seed, 0, "S", "Seed of every random number.", "the spec's");
  flags.integer("threads", threads, 1, "N", "Threads to use; the result does not depend on it.", "one for each CPU");
  declareDevice(flags, device);
  flags.toggle("resume", options.resume, "Go on from the checkpoint, if there is one.");
  flags.toggle("overwrite", options.overwrite, "Start anew and replace the checkpoint, if there is one.");
  flags.toggle("accept-other-data", options.acceptOtherData, "With --resume: go on with other data than before.");
  flags.text("metrics", options.metrics, "DIR", "Write train.jsonl and TensorBoard event files there.");
  flags.fraction("fraction", options.fraction, "F", "Train on a fixed part of the pairs, the same for every seed.",
                 "1");
  flags.integer("validate-every", options.validateEvery, 1, "N", "Steps between validations.",
                "the spec's, or an epoch");
  flags.toggle("quiet", options.quiet, "Say only how it ended.");
  if (auto code = parseFlags(flags, invocation))
    return *code;
  auto usage = [&](const char *message) {
    invocation.err << invocation.executable << ": error: " << message << "\n";
    return Usage;
  };
  if (options.epochs && options.steps)
    return usage("--epochs and --steps are two ways to say the same: give one of them");
  if (options.acceptOtherData && !options.resume)
    return usage("--accept-other-data has a meaning with --resume only: add it or leave it out");
  if (options.overwrite && options.resume)
    return usage("--resume goes on from a checkpoint, --overwrite replaces it: give one of them");

  Pool pool(threadCount(threads));
  // Before data is read, which may take a while.
  auto place = openPlace(invocation.program, readManifest(invocation.program), device, pool, invocation.err);
  Dataset dataset(data);
  Model model(invocation.program, dataset, pool, std::move(place));
  Trainer(model, std::move(options), invocation.err).run();
  return Success;
}

} // namespace tower::rt
