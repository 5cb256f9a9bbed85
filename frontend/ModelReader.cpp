// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The steps of reading a spec, in order.
#include "frontend/ModelReader.h"
#include "frontend/DatasetSchema.h"
#include "frontend/SpecSteps.h"

#include <google/protobuf/text_format.h>

namespace tower {

std::optional<Spec> readSpecText(const std::string &file, const std::string &text, const SpecOptions &options,
                                 SpecDiagnostics &diagnostics) {
  int before = diagnostics.numErrors();
  Spec spec;
  spec.file = file;
  spec.source = text;
  spec.places = SpecPlaces(file);
  if (!parseSpecText(file, text, spec.model, spec.places, diagnostics))
    return std::nullopt;
  for (const std::string &assignment : options.overrides)
    overrideSpec(spec, assignment, diagnostics);
  if (!options.overrides.empty())
    google::protobuf::TextFormat::PrintToString(spec.model, &spec.source);
  completeSpec(spec, diagnostics);
  checkSpec(spec, diagnostics);
  if (!options.data.empty()) {
    spec.dataset = readDatasetSchema(options.data, diagnostics);
    // A spec that is wrong in itself would only be told again what it lacks.
    if (spec.dataset && diagnostics.numErrors() == before)
      resolveWithData(spec, *spec.dataset, options.data, diagnostics);
  } else if (diagnostics.numErrors() == before) {
    resolveWithoutData(spec, diagnostics);
  }
  if (diagnostics.numErrors() > before)
    return std::nullopt;
  warnOfUnusedParts(spec, diagnostics);
  return spec;
}

std::optional<Spec> readSpec(const std::string &file, const SpecOptions &options, SpecDiagnostics &diagnostics) {
  std::optional<std::string> text = readTextFile(file, diagnostics);
  if (!text)
    return std::nullopt;
  return readSpecText(file, *text, options, diagnostics);
}

} // namespace tower
