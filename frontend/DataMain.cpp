// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The command line of `towerc data`.
#include "frontend/DataMain.h"
#include "frontend/DatasetFolder.h"

#include <iostream>
#include <string_view>

using namespace tower;

static constexpr char usage[] =
    R"(usage: towerc data import SCHEMA --out FOLDER
       towerc data mi FOLDER [--entity NAME]...

import   Turn the .tsv, .csv and .tfrecord files that SCHEMA names (text format of message Import in
         frontend/data.proto) into a dataset: a folder of columns, vocabularies and pairs.
  --out FOLDER     where to put it; a dataset that is there is replaced

mi       Compute the mutual information of an entity's columns, which correlated masks need, into
         FOLDER/ENTITY/mi.json, and print it with the masks that follow from it.
  --entity NAME    the entity, several times for several; default: the item entity
)";

static int wrongUsage(const std::string &what) {
  std::cerr << "error: " << what << "\n\n" << usage;
  return 2;
}

static int importMain(int argc, char **argv) {
  std::string schema, out;
  for (int i = 1; i < argc; ++i) {
    std::string_view argument = argv[i];
    if (argument == "--out" && i + 1 < argc)
      out = argv[++i];
    else if (argument.starts_with("--out="))
      out = argument.substr(6);
    else if (argument.starts_with('-'))
      return wrongUsage("data import does not know " + std::string(argument) + ", or it lacks a value");
    else if (schema.empty())
      schema = argument;
    else
      return wrongUsage("data import takes one schema, but got " + schema + " and " + std::string(argument));
  }
  if (schema.empty())
    return wrongUsage("data import needs a schema");
  if (out.empty())
    return wrongUsage("data import needs --out FOLDER");

  SpecDiagnostics diagnostics;
  std::optional<ImportSpec> spec = readImportSpec(schema, diagnostics);
  if (!spec) {
    diagnostics.print(std::cerr);
    return 1;
  }
  DataErrors errors;
  std::optional<Imported> imported = importTables(*spec, errors);
  if (!imported) {
    errors.print(std::cerr);
    return 1;
  }
  if (std::string error = writeDataset(*imported, out); !error.empty()) {
    std::cerr << "error: " << error << "\n";
    return 1;
  }
  printSummary(*imported, std::cout);
  std::cout << "wrote " << out << "\n";
  return 0;
}

int tower::dataMain(int argc, char **argv) {
  std::string_view command = argc > 1 ? argv[1] : "";
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--help" || std::string_view(argv[i]) == "-h") {
      std::cout << usage;
      return 0;
    }
  }
  if (command == "import")
    return importMain(argc - 1, argv + 1);
  if (command == "mi")
    return miMain(argc - 1, argv + 1);
  return wrongUsage(command.empty() ? "towerc data needs a command: import or mi"
                                    : "unknown command data " + std::string(command) + "; it is import or mi");
}
