// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `towerc data mi`: from a dataset's columns to mi.json and a report.
#include "frontend/DataMain.h"
#include "frontend/MutualInformation.h"
#include "frontend/Suggest.h"
#include "runtime/Dataset.h"
#include "runtime/Error.h"
#include "runtime/File.h"

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

using namespace tower;

static DiscreteFeature discrete(const rt::Column &column) {
  auto copy = [](auto elements) { return std::vector(elements.begin(), elements.end()); };
  auto numValues = static_cast<int32_t>(column.vocabularyRows);
  switch (column.kind) {
  case rt::ColumnKind::Single:
    return singleFeature(column.name, copy(column.ids), numValues);
  case rt::ColumnKind::Multi:
    return multiFeature(column.name, copy(column.values), copy(column.offsets), numValues);
  case rt::ColumnKind::Dense:
    return denseFeature(column.name, copy(column.numbers), column.width);
  }
  __builtin_unreachable();
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

static void measureEntity(const std::string &folder, const rt::Entity &entity) {
  std::vector<DiscreteFeature> features;
  for (const rt::Column &column : entity.columns)
    features.push_back(discrete(column));
  unsigned threads = std::clamp(std::thread::hardware_concurrency(), 1u, 16u);
  MutualInformation information = mutualInformation(features, static_cast<int>(threads));

  nlohmann::ordered_json json;
  json["features"] = nlohmann::json::array();
  for (const DiscreteFeature &feature : features)
    json["features"].push_back(feature.name);
  json["plugin"] = information.plugin;
  json["shuffled"] = information.shuffled;
  json["corrected"] = information.corrected;
  std::string path = folder + "/" + entity.name + "/mi.json";
  rt::replaceFile(path, [&](rt::FileWriter &file) { file.write(json.dump(1) + "\n"); });

  std::cout << entity.name << ": " << entity.rows << " rows, " << features.size() << " features\n";
  printMatrix(features, information.plugin, "plug-in mutual information in nats (diagonal: entropy):");
  printMatrix(features, information.corrected, "less the mean over 5 shuffles:");
  if (features.size() >= 3) {
    printMasks(features, information.plugin, "plug-in");
    printMasks(features, information.corrected, "corrected");
  } else {
    std::cout << "no masks: correlated masking takes 3 features or more\n";
  }
  std::cout << "wrote " << path << "\n";
}

static void measure(const std::string &folder, std::vector<std::string> names) {
  rt::Dataset dataset(folder);
  if (names.empty())
    names.push_back(dataset.itemEntity());
  std::vector<std::string> known;
  for (const rt::Entity &entity : dataset.entities())
    known.push_back(entity.name);
  for (const std::string &name : names)
    if (std::find(known.begin(), known.end(), name) == known.end())
      throw rt::Error(dataset.folder() + ": no entity is called \"" + name + "\"" + didYouMean(name, known));
  for (const std::string &name : names)
    measureEntity(dataset.folder(), dataset.entity(name));
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
  try {
    measure(folder, std::move(names));
  } catch (const rt::Error &error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
