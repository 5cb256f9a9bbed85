// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Answers questions about what the runtime draws and derives from data, one a line on standard input, each with one
// line of numbers; test_runtime.py compares them with the reference's. The argument is a dataset's folder.
//
//   pairs SEED STEP BATCH TOTAL                        positions of a batch's pairs
//   items SEED STREAM STEP COUNT TOTAL                 rows drawn uniformly
//   mask SEED STREAM STEP FEATURES MASKED [ORDER ...]  a random mask, or with an order a correlated one
//   normal|uniform SEED TENSOR COUNT SCALE             first values
//   moments ENTITY COLUMN linear|log                   means, then deviations
//   probabilities                                      by item: log(training count / training pairs)
//   rate WARMUP DECAY FRACTION STEP STEPS              the schedule's factor
#include "runtime/Error.h"
#include "runtime/Inputs.h"
#include "runtime/Philox.h"
#include "runtime/Pool.h"
#include "runtime/Tensors.h"
#include "runtime/tower_abi.h"

#include <iostream>
#include <sstream>

using namespace tower::rt;

template <class Numbers> static void print(const Numbers &numbers) {
  for (auto number : numbers)
    std::cout << +number << ' ';
  std::cout << '\n';
}

static std::vector<uint8_t> mask(std::istream &in) {
  uint64_t seed = 0, step = 0;
  std::string stream;
  int64_t features = 0, masked = 0;
  in >> seed >> stream >> step >> features >> masked;
  std::vector<int32_t> order;
  for (int32_t feature; in >> feature;)
    order.push_back(feature);
  std::vector<uint8_t> result(static_cast<size_t>(features));
  tower_rt_feature_mask(seed, fnv1a32(stream), step, features, masked, order.empty() ? nullptr : order.data(),
                        result.data());
  return result;
}

static std::vector<float> firstValues(InitKind kind, std::istream &in) {
  TensorInfo tensor;
  uint64_t seed = 0;
  size_t count = 0;
  in >> seed >> tensor.name >> count >> tensor.init.scale;
  tensor.init.kind = kind;
  std::vector<float> result(count);
  Pool pool(2);
  drawInitial(tensor, seed, result, pool);
  return result;
}

static void answer(const Dataset &data, const std::string &question, std::istream &in) {
  uint64_t seed = 0, step = 0;
  int64_t count = 0, total = 0;
  std::string name, other;
  if (question == "pairs") {
    in >> seed >> step >> count >> total;
    std::vector<int32_t> positions(static_cast<size_t>(count));
    tower_rt_sample_pairs(seed, fnv1a32("pairs"), step, count, total, positions.data());
    print(positions);
  } else if (question == "items") {
    in >> seed >> name >> step >> count >> total;
    std::vector<int32_t> rows(static_cast<size_t>(count));
    tower_rt_sample_uniform(seed, fnv1a32(name), step, count, total, rows.data());
    print(rows);
  } else if (question == "mask") {
    print(mask(in));
  } else if (question == "normal" || question == "uniform") {
    print(firstValues(question == "normal" ? InitKind::Normal : InitKind::Uniform, in));
  } else if (question == "moments") {
    in >> name >> other;
    const Column *column = data.entity(name).find(other);
    in >> other;
    Moments moments = columnMoments(*column, other == "log");
    moments.mean.insert(moments.mean.end(), moments.deviation.begin(), moments.deviation.end());
    print(moments.mean);
  } else if (question == "probabilities") {
    print(logProbabilities(data.pairs("train"), data.entity(data.itemEntity()).rows));
  } else if (question == "rate") {
    TrainingInfo training;
    in >> training.warmupSteps >> training.decay >> training.finalFraction >> step >> total;
    print(std::vector<float>{rateFactor(training, static_cast<int64_t>(step), total)});
  } else {
    throw Error("no such question: " + question);
  }
}

int main(int argc, char **argv) {
  try {
    std::cout.precision(17);
    Dataset data(argc == 2 ? argv[1] : "");
    for (std::string line, question; std::getline(std::cin, line);) {
      std::istringstream in(line);
      in >> question;
      answer(data, question, in);
    }
  } catch (const std::exception &error) {
    std::cerr << "reference-draws: " << error.what() << '\n';
    return 1;
  }
}
