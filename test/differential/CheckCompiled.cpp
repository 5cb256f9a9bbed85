// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Machine code against the oracle: steps, embeddings, best items; the same bits with one thread and with two.

#include "runtime/Error.h"
#include "runtime/Model.h"
#include "test/differential/Checks.h"
#include "test/differential/Compiled.h"
#include "test/gpu/Device.h"

#include <cmath>
#include <cstring>
#include <sstream>

using namespace mlir;
using namespace tower;
using namespace tower::differential;
using namespace tower::oracle;

namespace {

std::vector<double> doubles(std::span<const float> values) { return {values.begin(), values.end()}; }

class CompiledCheck {
public:
  CompiledCheck(TestModel &model, Compiled &compiled, Coverage &coverage, Failures &failures, lower::Machine machine)
      : model(model), machine(machine), coverage(coverage), failures(failures),
        bf16(model.spec->model.precision() == spec::BF16),
        module(bf16 ? *compiled.dataflow : *model.gradient), pools{rt::Pool(1), rt::Pool(2)},
        one(*compiled.program, *model.data, pools[0]), two(*compiled.program, *model.data, pools[1]) {}

  void run() {
    int64_t first = model.dice.between(int64_t{0}, int64_t{20});
    for (int64_t step = first; step < first + 3; ++step)
      if (!trainStep(step))
        return;
    setTensors(one);
    setTensors(two);
    std::vector<float> queries = embed(rt::Side::Query, "embed_queries", model.data->queryEntity());
    std::vector<float> items = embed(rt::Side::Item, "embed_items", model.data->itemEntity());
    score(queries, items, /*exact=*/false);
    scoreTies();
  }

private:
  /// Sums that differ by their order are now and then on both sides of where bf16 rounds up: a factor is then off by
  /// 2^-8. 4e-4 of the largest was the most that this made of a result in 60 models.
  double flips() const { return bf16 ? 2e-3 : 0; }

  FailureOr<Environment> evaluateStep(ModuleOp of, const Inputs &inputs, const Options &options = {}) {
    FailureOr<Environment> values = evaluateAll(model.trainStep(of), inputs, options);
    if (failed(values))
      failures.push_back("the step cannot be evaluated: " + model.takeMessages());
    return values;
  }

  void fail(const std::string &what, double away, double allowed) {
    std::ostringstream message;
    message << "compiled: " << what << " is " << away << " away, " << allowed << " allowed";
    failures.push_back(message.str());
  }
  void compare(const std::string &what, std::span<const float> found, const std::vector<double> &expected,
               double relative = 1e-4) {
    double away = 0, allowed = 0;
    if (!agree(doubles(found), expected, 1e-5, relative + flips(), &away, &allowed))
      fail(what, away, allowed);
  }
  void compareBits(const std::string &what, std::span<const float> a, std::span<const float> b) {
    if (a.size() != b.size() || std::memcmp(a.data(), b.data(), a.size_bytes()))
      failures.push_back("compiled: " + what + " has other bits with two threads");
  }

  /// On a simulated device the second program runs threads and blocks in a random order.
  void inOrder(const rt::Model &compiled) {
    gpu_test::setOrder(&compiled == &two ? gpu_test::Order(model.seed) : std::nullopt);
  }

  void setTensors(rt::Model &compiled) {
    const rt::Tensors &tensors = compiled.tensors();
    for (size_t i = 0; i < tensors.size(); ++i) {
      const std::vector<double> &values = model.inputs.at("tensor/" + tensors.info(i).name).reals;
      std::copy(values.begin(), values.end(), tensors[i].begin());
    }
  }

  /// Scores of hundreds, as dot products may be, are rounded by so much that exp of them is off by as much, relatively.
  double relativeTolerance(const Environment &values) {
    double largest = 0;
    model.trainStep(*model.gradient).walk([&](InBatchSoftmaxOp op) {
      for (double lse : values[op.getLse()].reals)
        largest = std::max(largest, std::abs(lse));
    });
    return 1e-4 + 5e-7 * largest;
  }

  /// The results become the values, unless training diverges: float32 would soon end.
  void adopt(const Results &results) {
    Inputs next = model.inputs;
    for (const auto &[name, tensor] : results.named) {
      auto value = next.find("tensor/" + name);
      if (value == next.end())
        continue;
      for (int64_t e = 0; e < tensor.count(); ++e) {
        if (!(std::abs(tensor.reals[e]) < 100))
          return;
        value->second.reals[e] = float(tensor.reals[e]);
      }
    }
    model.inputs = std::move(next);
  }

  /// A step of both from the same values, then the oracle's results become the values.
  bool trainStep(int64_t step) {
    float rate = float(model.dice.between(0.1, 1.0));
    uint64_t seed = model.inputs.at("seed").integer();
    FailureOr<Environment> exact = evaluateStep(*model.gradient, model.at(step, rate));
    if (failed(exact))
      return false;
    double relative = relativeTolerance(*exact);
    FailureOr<Environment> rounded =
        bf16 ? evaluateStep(module, model.at(step, rate), {.bf16 = true}) : std::move(exact);
    if (failed(rounded))
      return false;
    Results expected = resultsOf(model.trainStep(module), *rounded);
    std::vector<float> losses[2];
    for (rt::Model *compiled : {&one, &two}) {
      inOrder(*compiled);
      setTensors(*compiled);
      compiled->spoilArena();
      std::span<const float> found = compiled->trainStep(step, seed, rate);
      losses[compiled == &two].assign(found.begin(), found.end());
    }
    std::string at = " of step " + std::to_string(step);
    compareBits("a loss" + at, losses[0], losses[1]);
    std::vector<std::string> names = one.lossNames();
    for (size_t i = 0; i < names.size(); ++i)
      compare(names[i] + at, std::span(losses[0]).subspan(i, 1), expected.named.at(names[i]).reals, relative);
    for (size_t i = 0; i < one.tensors().size(); ++i) {
      std::string name = one.tensors().info(i).name;
      auto updated = expected.named.find(name);
      const Tensor &value = model.inputs.at("tensor/" + name);
      compareBits(name + at, one.tensors()[i], two.tensors()[i]);
      // A square is off by twice what its number is off by, relatively.
      bool squares = llvm::StringRef(name).ends_with("adagrad") || llvm::StringRef(name).ends_with("adam/v");
      compare(name + at, one.tensors()[i], updated == expected.named.end() ? value.reals : updated->second.reals,
              squares ? 2 * relative : relative);
    }
    adopt(expected);
    coverage.countCase("a compiled step agrees with the oracle");
    return true;
  }

  /// All rows of an entity, more than once where they are few, so that the last block is not full.
  std::vector<float> embed(rt::Side side, const char *function, const std::string &entity) {
    int64_t rows = model.data->entity(entity).rows, dim = one.manifest().dim;
    std::vector<int32_t> asked;
    for (int64_t i = 0; i < 300; ++i)
      asked.push_back(i % rows);
    std::vector<float> found[2];
    for (rt::Model *compiled : {&one, &two}) {
      inOrder(*compiled);
      compiled->spoilArena();
      std::vector<float> &out = found[compiled == &two];
      out.resize(asked.size() * dim);
      compiled->embed(side, asked, out);
    }
    compareBits(function, found[0], found[1]);
    auto embed = module.lookupSymbol<func::FuncOp>(function);
    int64_t block = 0;
    for (unsigned i = 0; i < embed.getNumArguments(); ++i)
      if (argumentKey(embed, i) == "rows")
        block = cast<RankedTensorType>(embed.getArgumentTypes()[i]).getDimSize(0);
    Inputs inputs = model.at(0, 1);
    Tensor &given = inputs["rows"] = Tensor::ofIntegers({block}, std::vector<int64_t>(block, 0));
    int64_t distinct = std::min(rows, block);
    for (int64_t i = 0; i < distinct; ++i)
      given.integers[i] = i;
    FailureOr<Results> expected = evaluate(embed, inputs, {.bf16 = bf16});
    if (failed(expected)) {
      failures.push_back(std::string(function) + " cannot be evaluated: " + model.takeMessages());
      return {};
    }
    const std::vector<double> &reals = expected->named.at("embeddings").reals;
    std::vector<double> all;
    for (int32_t row : asked)
      all.insert(all.end(), reals.begin() + row * dim, reals.begin() + (row + 1) * dim);
    compare(function, found[0], all);
    found[0].resize(rows * dim);
    return found[0];
  }

  /// Small whole numbers: many items have the same score, and every score is exact, so that rows can be compared. More
  /// queries and items than a block of the kernel holds.
  void scoreTies() {
    int64_t dim = one.manifest().dim;
    auto numbers = [&](int64_t rows) {
      std::vector<float> all(rows * dim);
      for (float &number : all)
        number = static_cast<float>(model.dice.between(int64_t{-1}, int64_t{1}));
      return all;
    };
    // A simulated device takes its time.
    int64_t most = machine == lower::Machine::Gpu ? 40 : 600;
    score(numbers(model.dice.between(int64_t{1}, most)), numbers(model.dice.between(int64_t{1}, int64_t{300})),
          /*exact=*/true);
  }

  void score(const std::vector<float> &queries, const std::vector<float> &items, bool exact) {
    int64_t dim = one.manifest().dim, n = queries.size() / dim, catalogue = items.size() / dim;
    int64_t k = model.dice.between(int64_t{1}, catalogue + 2);
    rt::Excluded excluded;
    Tensor offsets = Tensor::ofIntegers({n + 1}, {0}), left = Tensor::ofIntegers({0}, {});
    for (int64_t i = 0; i < n; ++i) {
      std::vector<int32_t> rows;
      for (int64_t u = 0; u < catalogue; ++u)
        if (model.dice.chance(0.1))
          rows.push_back(u);
      left.integers.insert(left.integers.end(), rows.begin(), rows.end());
      offsets.integers.push_back(left.integers.size());
      excluded.add(rows);
    }
    left.shape = {int64_t(left.integers.size())};
    std::vector<float> scores[2];
    std::vector<int32_t> rows[2];
    for (rt::Model *compiled : {&one, &two}) {
      inOrder(*compiled);
      compiled->spoilArena();
      scores[compiled == &two].resize(n * k);
      rows[compiled == &two].resize(n * k);
      compiled->score(queries, items, excluded, k, scores[compiled == &two], rows[compiled == &two]);
    }
    compareBits("a score", scores[0], scores[1]);
    if (rows[0] != rows[1])
      failures.push_back("compiled: the best rows differ between one thread and two");
    Inputs inputs = {{"queries", Tensor::ofReals({n, dim}, doubles(queries))},
                     {"catalogue", Tensor::ofReals({catalogue, dim}, doubles(items))},
                     {"exclude_offsets", offsets},
                     {"exclude_rows", left},
                     {"k", Tensor::scalar(k)}};
    FailureOr<Results> expected = evaluate(model.gradient->lookupSymbol<func::FuncOp>("score"), inputs);
    if (failed(expected))
      return failures.push_back("@score cannot be evaluated: " + model.takeMessages());
    const Tensor &best = expected->named.at("rows");
    compareBest(expected->named.at("scores"), best, scores[0], rows[0], inputs);
    if (exact && !std::equal(rows[0].begin(), rows[0].end(), best.integers.begin(), best.integers.end()))
      failures.push_back("compiled: items of equal scores are not in the order of their rows");
  }

  /// Scores agree place by place. So do rows, unless the row found has nearly the expected one's score.
  void compareBest(const Tensor &scores, const Tensor &best, const std::vector<float> &found,
                   const std::vector<int32_t> &rows, const Inputs &inputs) {
    const Tensor &q = inputs.at("queries"), &x = inputs.at("catalogue");
    double largest = 1;
    for (double score : scores.reals)
      if (std::isfinite(score))
        largest = std::max(largest, std::abs(score));
    for (int64_t i = 0; i < scores.extent(0); ++i) {
      std::set<int32_t> seen;
      for (int64_t j = 0; j < scores.extent(1); ++j) {
        size_t place = i * scores.extent(1) + j;
        double expected = scores.reals[place], score = 0;
        bool none = best.integers[place] < 0;
        if (rows[place] >= 0)
          for (int64_t c = 0; c < q.extent(1); ++c)
            score += q.at(i, c) * x.at(rows[place], c);
        bool good = none ? rows[place] == -1 && std::isinf(found[place]) && found[place] < 0
                         : rows[place] >= 0 && seen.insert(rows[place]).second &&
                               std::abs(found[place] - expected) <= 1e-5 * largest &&
                               std::abs(score - expected) <= 1e-5 * largest;
        if (!good) {
          std::ostringstream message;
          message << "compiled: query " << i << ", place " << j << ": row " << rows[place] << " with score "
                  << found[place] << ", expected row " << best.integers[place] << " with " << expected;
          return failures.push_back(message.str());
        }
      }
    }
  }

  TestModel &model;
  lower::Machine machine;
  Coverage &coverage;
  Failures &failures;
  bool bf16; ///< Layers multiply in it.
  /// What the oracle evaluates. What is rounded to bf16 depends on passes: some sum in front of a product what was
  /// summed behind it. That they change nothing else is what CheckPasses.cpp finds.
  ModuleOp module;
  rt::Pool pools[2];
  rt::Model one, two; ///< With as many threads.
};

} // namespace

static void check(TestModel &model, Coverage &coverage, Failures &failures, lower::Machine machine) {
  Compiled compiled(model, coverage, failures, machine);
  if (!compiled.program)
    return;
  try {
    CompiledCheck(model, compiled, coverage, failures, machine).run();
  } catch (const rt::Error &error) {
    failures.push_back(std::string("compiled: ") + error.what());
  }
}

void differential::checkCompiled(TestModel &model, Coverage &coverage, Failures &failures) {
  check(model, coverage, failures, lower::Machine::Cpu);
}

void differential::checkKernels(TestModel &model, Coverage &coverage, Failures &failures) {
  check(model, coverage, failures, lower::Machine::Gpu);
}
