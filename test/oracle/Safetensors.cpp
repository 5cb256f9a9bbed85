// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/oracle/Safetensors.h"
#include "runtime/Error.h"
#include "runtime/File.h"

#include <cstring>
#include <nlohmann/json.hpp>

using namespace tower;
using namespace tower::oracle;

std::map<std::string, Tensor> oracle::readSafetensors(const std::string &path) {
  std::string file = rt::readText(path);
  uint64_t size = 0;
  if (file.size() >= 8)
    std::memcpy(&size, file.data(), 8);
  if (file.size() < 8 || size > file.size() - 8)
    throw rt::Error(path + ": is not a .safetensors file");
  nlohmann::json header = nlohmann::json::parse(file.substr(8, size), nullptr, false);
  std::map<std::string, Tensor> tensors;
  for (const auto &[name, entry] : header.items()) {
    if (name == "__metadata__")
      continue;
    auto read = [&](auto element, const std::string &dtype) {
      if (entry.value("dtype", "") != dtype)
        return false;
      Tensor tensor = Tensor::ofReals(entry.at("shape").get<std::vector<int64_t>>(), {});
      size_t begin = entry.at("data_offsets").at(0), bytes = tensor.count() * sizeof(element);
      if (begin + bytes > file.size() - 8 - size)
        throw rt::Error(path + ": tensor " + name + " does not end in the file");
      for (int64_t i = 0; i < tensor.count(); ++i) {
        std::memcpy(&element, file.data() + 8 + size + begin + i * sizeof(element), sizeof(element));
        tensor.reals.push_back(element);
      }
      tensors[name] = tensor;
      return true;
    };
    if (!read(float(), "F32") && !read(double(), "F64"))
      throw rt::Error(path + ": tensor " + name + " is neither F32 nor F64");
  }
  return tensors;
}

void oracle::writeSafetensors(const std::string &path, const std::map<std::string, Tensor> &tensors) {
  nlohmann::json header = nlohmann::json::object();
  std::string bytes;
  for (const auto &[name, tensor] : tensors) {
    size_t begin = bytes.size();
    for (double value : tensor.reals)
      bytes.append(reinterpret_cast<const char *>(&value), sizeof(value));
    for (int64_t value : tensor.integers) {
      int32_t number = int32_t(value);
      bytes.append(reinterpret_cast<const char *>(&number), sizeof(number));
    }
    header[name] = {{"dtype", tensor.integers.empty() ? "F64" : "I32"},
                    {"shape", tensor.shape},
                    {"data_offsets", {begin, bytes.size()}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  uint64_t size = text.size();
  rt::replaceFile(path, [&](rt::FileWriter &out) {
    out.write(&size, 8);
    out.write(text);
    out.write(bytes);
  });
}
