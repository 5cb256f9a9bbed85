// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `towerc data mi`: from a dataset's columns to mi.json and a report.
#include "frontend/DataMain.h"
#include "frontend/DatasetFolder.h"
#include "frontend/DatasetSchema.h"
#include "frontend/MutualInformation.h"
#include "frontend/Npy.h"
#include "frontend/Suggest.h"

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

using namespace tower;

/// Read one column. Returns an error's text, or "".
static std::string readFeature(const std::string &stem, const data::ColumnInfo &column, int64_t rows, int64_t numValues,
                               DiscreteFeature &feature) {
  std::vector<int64_t> shape;
  auto wrongRows = [&](const std::string &path) {
    return path + ": has " + std::to_string(shape[0]) + " rows, the schema says " + std::to_string(rows) +
           "; import the data again";
  };
  auto outOfRange = [&](const std::string &path, const std::vector<int32_t> &ids) -> std::string {
    for (size_t i = 0; i < ids.size(); ++i)
      if (ids[i] < 0 || ids[i] >= numValues)
        return path + ": element " + std::to_string(i) + " is " + std::to_string(ids[i]) + ", the vocabulary has " +
               std::to_string(numValues) + " rows; import the data again";
    return "";
  };
  std::string error;
  if (column.kind() == data::DENSE) {
    std::vector<float> numbers;
    if (error = readNpy(stem + ".npy", 2, numbers, shape); !error.empty())
      return error;
    if (shape[0] != rows || shape[1] < 1)
      return wrongRows(stem + ".npy");
    feature = denseFeature(column.name(), numbers, shape[1]);
    return "";
  }
  std::vector<int32_t> ids;
  if (column.kind() == data::SINGLE) {
    if (error = readNpy(stem + ".npy", 1, ids, shape); !error.empty())
      return error;
    if (shape[0] != rows)
      return wrongRows(stem + ".npy");
    if (error = outOfRange(stem + ".npy", ids); !error.empty())
      return error;
    feature = singleFeature(column.name(), std::move(ids), static_cast<int32_t>(numValues));
    return "";
  }
  std::vector<int64_t> offsets;
  if (error = readNpy(stem + ".values.npy", 1, ids, shape); !error.empty())
    return error;
  if (error = outOfRange(stem + ".values.npy", ids); !error.empty())
    return error;
  if (error = readNpy(stem + ".offsets.npy", 1, offsets, shape); !error.empty())
    return error;
  --shape[0];
  if (shape[0] != rows)
    return wrongRows(stem + ".offsets.npy");
  if (offsets.front() != 0 || offsets.back() != static_cast<int64_t>(ids.size()) ||
      !std::is_sorted(offsets.begin(), offsets.end()))
    return stem + ".offsets.npy: offsets do not rise from 0 to the number of values; import the data again";
  feature = multiFeature(column.name(), ids, offsets, static_cast<int32_t>(numValues));
  return "";
}

static void printMatrix(const std::vector<DiscreteFeature> &features, const MiMatrix &matrix, const char *title) {
  int widest = 7;
  for (const DiscreteFeature &feature : features)
    widest = std::max(widest, static_cast<int>(feature.name.size()));
  std::cout << title << "\n" << std::setw(widest + 2) << "";
  for (const DiscreteFeature &feature : features)
    std::cout << " " << std::setw(7) << feature.name.substr(0, 7);
  std::cout << "\n" << std::fixed << std::setprecision(3);
  for (size_t i = 0; i < features.size(); ++i) {
    std::cout << "  " << std::left << std::setw(widest) << features[i].name << std::right;
    for (double entry : matrix[i])
      std::cout << " " << std::setw(7) << entry;
    std::cout << "\n";
  }
}

/// Print each seed's mask, and warn of features that nearly every mask holds.
static void printMasks(const std::vector<DiscreteFeature> &features, const MiMatrix &matrix, const char *name) {
  const auto k = static_cast<int>(features.size());
  int widest = 0;
  for (const DiscreteFeature &feature : features)
    widest = std::max(widest, static_cast<int>(feature.name.size()));
  std::vector<int> times(k, 0);
  std::cout << "masks by " << name << " information, by seed feature:\n";
  for (int seed = 0; seed < k; ++seed) {
    std::cout << "  " << std::left << std::setw(widest) << features[seed].name << std::right << " +";
    for (int member : correlatedMask(matrix, seed)) {
      ++times[member];
      if (member != seed)
        std::cout << " " << features[member].name;
    }
    std::cout << "\n";
  }
  for (int i = 0; i < k; ++i)
    if (times[i] * 10 > k * 8)
      std::cout << "warning: " << features[i].name << " is in " << times[i] << " of " << k << " masks by " << name
                << " information: it is hardly ever shown\n";
}

static std::string measureEntity(const std::string &folder, const data::Dataset &dataset,
                                 const data::EntityInfo &entity) {
  std::vector<DiscreteFeature> features;
  for (const data::ColumnInfo &column : entity.columns()) {
    int64_t numValues = 0;
    for (const data::VocabularyInfo &vocabulary : dataset.vocabularies())
      if (vocabulary.name() == column.vocabulary())
        numValues = vocabulary.rows();
    std::string error = readFeature(folder + entity.name() + "/" + column.name(), column, entity.rows(), numValues,
                                    features.emplace_back());
    if (!error.empty())
      return error;
  }
  unsigned threads = std::clamp(std::thread::hardware_concurrency(), 1u, 16u);
  MutualInformation information = mutualInformation(features, static_cast<int>(threads));

  nlohmann::ordered_json json;
  json["features"] = nlohmann::json::array();
  for (const DiscreteFeature &feature : features)
    json["features"].push_back(feature.name);
  json["plugin"] = information.plugin;
  json["shuffled"] = information.shuffled;
  json["corrected"] = information.corrected;
  std::string path = folder + entity.name() + "/mi.json";
  if (std::string error = replaceFile(path, json.dump(1) + "\n"); !error.empty())
    return error;

  std::cout << entity.name() << ": " << entity.rows() << " rows, " << features.size() << " features\n";
  printMatrix(features, information.plugin, "plug-in mutual information in nats (diagonal: entropy):");
  printMatrix(features, information.corrected, "less the mean over 5 shuffles:");
  if (features.size() >= 3) {
    printMasks(features, information.plugin, "plug-in");
    printMasks(features, information.corrected, "corrected");
  } else {
    std::cout << "no masks: correlated masking takes 3 features or more\n";
  }
  std::cout << "wrote " << path << "\n";
  return "";
}

int tower::miMain(int argc, char **argv) {
  std::string folder;
  std::vector<std::string> names;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument == "--entity" && i + 1 < argc) {
      names.emplace_back(argv[++i]);
    } else if (argument.starts_with("--entity=")) {
      names.push_back(argument.substr(9));
    } else if (argument.starts_with('-') || !folder.empty()) {
      std::cerr << "error: data mi takes one folder and --entity NAME, but got " << argument
                << "; see towerc data --help\n";
      return 2;
    } else {
      folder = argument;
    }
  }
  if (folder.empty()) {
    std::cerr << "error: data mi needs a dataset's folder; see towerc data --help\n";
    return 2;
  }
  if (!folder.ends_with('/'))
    folder += '/';

  SpecDiagnostics diagnostics;
  std::optional<data::Dataset> dataset = readDatasetSchema(folder, diagnostics);
  if (!dataset) {
    diagnostics.print(std::cerr);
    return 1;
  }
  if (names.empty())
    names.push_back(dataset->item_entity());
  std::string error;
  for (size_t i = 0; i < names.size() && error.empty(); ++i) {
    auto entity = std::find_if(dataset->entities().begin(), dataset->entities().end(),
                               [&](const data::EntityInfo &info) { return info.name() == names[i]; });
    if (entity == dataset->entities().end()) {
      std::vector<std::string> known;
      for (const data::EntityInfo &info : dataset->entities())
        known.push_back(info.name());
      error = folder + "schema.txtpb: no entity is called \"" + names[i] + "\"" + didYouMean(names[i], known);
    } else {
      error = measureEntity(folder, *dataset, *entity);
    }
  }
  if (!error.empty()) {
    std::cerr << "error: " << error << "\n";
    return 1;
  }
  return 0;
}
