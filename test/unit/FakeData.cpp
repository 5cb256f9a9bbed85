// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writes the small dataset.
#include "test/unit/FakeData.h"

#include "runtime/Commands.h"
#include "runtime/Npy.h"

#include <filesystem>
#include <fstream>
#include <sstream>

namespace tower::test {

FakeData::FakeData() {
  for (int32_t thing = 0; thing < things; ++thing)
    tags.push_back({1 + thing % 10, 11 + thing / 40});
  for (int32_t query = 0; query < things; ++query) {
    PairList &pairs = query % 5 == 0 ? validation : query % 5 == 1 ? test : train;
    for (int32_t item : {(query + 1) % things, (query + 2) % things, 7})
      if (item != query)
        pairs.emplace_back(query, item);
  }
}

namespace {
template <class T> void put(const std::string &path, const std::vector<T> &numbers) {
  rt::writeNpy(path, std::span<const T>(numbers), {static_cast<int64_t>(numbers.size())});
}

void putPairs(const std::string &folder, const std::string &split, const PairList &pairs) {
  std::vector<int32_t> query, item;
  for (auto [q, i] : pairs) {
    query.push_back(q);
    item.push_back(i);
  }
  put(folder + "/pairs/" + split + ".query.npy", query);
  put(folder + "/pairs/" + split + ".item.npy", item);
}
} // namespace

void FakeData::write(const std::string &folder) const {
  for (const char *name : {"vocab", "thing", "pairs"})
    std::filesystem::create_directories(folder + "/" + name);
  std::vector<int32_t> ids, values;
  std::vector<int64_t> offsets{0};
  std::ofstream keys(folder + "/thing/keys.txt"), idNames(folder + "/vocab/id.txt"),
      tagNames(folder + "/vocab/tag.txt");
  idNames << "\n";
  for (int32_t thing = 0; thing < things; ++thing) {
    keys << "thing-" << thing << "\n";
    idNames << "thing-" << thing << "\n";
    ids.push_back(thing + 1);
    values.insert(values.end(), tags[thing].begin(), tags[thing].end());
    offsets.push_back(static_cast<int64_t>(values.size()));
  }
  tagNames << "\n";
  for (int tag = 1; tag < 20; ++tag)
    tagNames << "tag-" << tag << "\n";
  put(folder + "/thing/id.npy", ids);
  put(folder + "/thing/tags.values.npy", values);
  put(folder + "/thing/tags.offsets.npy", offsets);
  putPairs(folder, "train", train);
  putPairs(folder, "validation", validation);
  putPairs(folder, "test", test);
  std::ofstream(folder + "/schema.json")
      << R"({"vocabularies": [{"name": "id", "rows": 121}, {"name": "tag", "rows": 20}],
 "entities": [{"name": "thing", "rows": 120, "columns": [
   {"name": "id", "kind": "SINGLE", "vocabulary": "id"},
   {"name": "tags", "kind": "MULTI", "vocabulary": "tag", "longest": 2, "total": )"
      << values.size() << R"(}]}],
 "pairs": [{"split": "train", "rows": )"
      << train.size() << R"(}, {"split": "validation", "rows": )" << validation.size()
      << R"(}, {"split": "test", "rows": )" << test.size() << R"(}],
 "query_entity": "thing", "item_entity": "thing"})";
}

Outcome runFake(const std::vector<std::string> &arguments, const std::string &input) {
  return runProgram(tower_program, arguments, input);
}

Outcome runProgram(const tower_program_v1 &program, const std::vector<std::string> &arguments,
                   const std::string &input) {
  std::vector<std::string> all{"/somewhere/fake"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  std::istringstream in(input);
  std::ostringstream out, err;
  int code = rt::runExecutable(program, all, in, out, err);
  return {code, out.str(), err.str()};
}

} // namespace tower::test
