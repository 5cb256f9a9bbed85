// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// EXE embed: all embeddings of a side as a NumPy file.
#include "runtime/Commands.h"
#include "runtime/Npy.h"
#include "runtime/Progress.h"

#include <ostream>

namespace tower::rt {

int embedCommand(Invocation &invocation) {
  ModelFlags common;
  std::string side, output;
  Flags flags(
      invocation.executable + " embed",
      "Writes the embeddings of all items or all queries: float32, a row for each line of the entity's keys.txt.");
  common.declare(flags);
  flags.choice("side", side, {"items", "queries"}, "Which tower.").require("side");
  flags.text("out", output, "FILE.npy", "Where to write.").require("out");
  if (auto code = parseFlags(flags, invocation))
    return *code;

  TrainedModel trained(invocation, common);
  const Manifest &manifest = trained.model.manifest();
  Side which = side == "items" ? Side::Item : Side::Query;
  Buffer<float> embeddings = trained.model.embedAll(which);
  int64_t rows = static_cast<int64_t>(embeddings.size()) / manifest.dim;
  writeNpy(output, std::span<const float>(embeddings), {rows, manifest.dim});
  const std::string &entity = which == Side::Item ? manifest.item.entity : manifest.query.entity;
  invocation.err << "wrote " << shownCount(rows) << " x " << manifest.dim << " to '" << output
                 << "'; row i belongs to line i + 1 of '" << trained.data.folder() << "/" << entity << "/keys.txt'\n";
  return Success;
}

} // namespace tower::rt
