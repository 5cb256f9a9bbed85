// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The executable's first steps: which command, --help, --version, and the border that turns failures into one message.
#include "runtime/Commands.h"

#include "runtime/Error.h"
#include "runtime/Nearest.h"

#include <algorithm>
#include <filesystem>
#include <new>
#include <ostream>

namespace tower::rt {

namespace {
struct Command {
  const char *name, *summary;
  int (*run)(Invocation &);
};
constexpr Command commands[] = {
    {"train", "fit the model to a dataset; writes a checkpoint", trainCommand},
    {"evaluate", "recall, MAP and NDCG over the whole catalogue", evaluateCommand},
    {"recommend", "the best items for a query", recommendCommand},
    {"embed", "embeddings of all items or queries as .npy", embedCommand},
    {"info", "the model, its memory, what it was compiled for", infoCommand},
};

std::string generalHelp(const Invocation &invocation) {
  Manifest manifest = readManifest(invocation.program);
  std::string text = "Usage: " + invocation.executable + " COMMAND [flags]\n\nThe two-tower recommender '" +
                     manifest.name + "', compiled by towerc " + manifest.version + ".\n\nCommands:\n";
  for (const Command &command : commands) {
    std::string line = std::string("  ") + command.name;
    line.resize(13, ' ');
    text += line + command.summary + "\n";
  }
  return text + "\n'" + invocation.executable +
         " COMMAND --help' lists a command's flags; --version says who made this.\n";
}

int dispatch(const std::string &name, Invocation &invocation) {
  if (name == "--help" || name == "-h" || name == "help") {
    invocation.out << generalHelp(invocation);
    return Success;
  }
  if (name == "--version") {
    Manifest manifest = readManifest(invocation.program);
    invocation.out << origin(manifest) << "\n";
    return Success;
  }
  std::vector<std::string> names;
  for (const Command &command : commands) {
    if (name == command.name)
      return command.run(invocation);
    names.push_back(command.name);
  }
  invocation.err << invocation.executable << ": error: unknown command '" << name << "'."
                 << didYouMean(nearestNames(name, names)) << " '" << invocation.executable
                 << " --help' lists all commands\n";
  return Usage;
}
} // namespace

int runExecutable(const tower_program_v1 &program, const std::vector<std::string> &arguments, std::istream &in,
                  std::ostream &out, std::ostream &err) {
  Invocation invocation{program, std::filesystem::path(arguments.at(0)).filename(), {}, in, out, err};
  std::string prefix = invocation.executable;
  auto fail = [&](const std::string &message) {
    err << prefix << ": error: " << message << std::endl;
    return Failure;
  };
  try {
    if (arguments.size() < 2) {
      err << generalHelp(invocation);
      return Usage;
    }
    invocation.arguments.assign(arguments.begin() + 2, arguments.end());
    prefix += " " + arguments[1];
    int code = dispatch(arguments[1], invocation);
    if (!out.flush())
      return fail("cannot write to standard output: is the disk full?");
    return code;
  } catch (const Error &error) {
    return fail(error.what());
  } catch (const std::bad_alloc &) {
    return fail("out of memory: 'info' shows what the model needs");
  } catch (const std::exception &error) {
    return fail(std::string("unexpected failure: ") + error.what());
  }
}

std::string origin(const Manifest &manifest) {
  std::string text = manifest.name + ", compiled by towerc " + manifest.version + " for " + manifest.triple + " (";
  for (const TargetInfo &target : manifest.targets)
    text += (&target == manifest.targets.data() ? "" : ", ") + target.cpu;
  if (manifest.cuda)
    text += manifest.targets.empty() ? "NVIDIA GPUs" : ", NVIDIA GPUs";
  return text + ")";
}

std::optional<int> parseFlags(Flags &flags, Invocation &invocation) {
  if (auto message = flags.parse(invocation.arguments)) {
    invocation.err << invocation.executable << ": error: " << *message << "\n";
    return Usage;
  }
  if (!flags.helpWanted())
    return std::nullopt;
  invocation.out << flags.help();
  return Success;
}

void ModelFlags::declare(Flags &flags) {
  flags.text("data", data, "DIR", "The dataset's folder.").require("data");
  flags.text("checkpoint", checkpoint, "FILE", "The trained model, as 'train' wrote it.").require("checkpoint");
  flags.integer("threads", threads, 1, "N", "Threads to use.", "one for each CPU");
  declareDevice(flags, device);
}

void declareDevice(Flags &flags, std::string &device) {
  flags.text("device", device, "auto|cpu|cuda[:N]", "Where to run: on this machine's processor, or on GPU N.",
             isDevice);
}

unsigned threadCount(std::optional<int64_t> threads) {
  return static_cast<unsigned>(std::min<int64_t>(threads.value_or(0), 1024));
}

TrainedModel::TrainedModel(Invocation &invocation, const ModelFlags &flags)
    : pool(threadCount(flags.threads)),
      // Before data is read, which may take a while.
      place(openPlace(invocation.program, readManifest(invocation.program), flags.device, pool, invocation.err)),
      data(flags.data), model(invocation.program, data, pool, std::move(place)),
      checkpoint(model.load(flags.checkpoint)) {
  if (checkpoint.dataFingerprint != data.fingerprint())
    invocation.err << "note: '" << flags.checkpoint << "' was trained on other data than '" << flags.data
                   << "': if vocabularies differ, so do the meanings of rows\n";
}

bool TrainedModel::siamese() const { return model.manifest().query.entity == model.manifest().item.entity; }

} // namespace tower::rt
