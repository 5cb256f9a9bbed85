// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A folder for the files of one test, removed with it.
#ifndef TOWERC_TEST_UNIT_TEMPORARYFOLDER_H
#define TOWERC_TEST_UNIT_TEMPORARYFOLDER_H

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

namespace tower::test {

class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "towerc-XXXXXX").string();
    name = ::mkdtemp(pattern.data()) ? pattern : "";
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!name.empty())
      std::filesystem::remove_all(name, ignored);
  }
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;

  const std::string &path() const { return name; }
  std::string operator/(std::string_view file) const { return path(std::string(file)); }
  /// The path of `file` in the folder.
  std::string path(const std::string &file) const { return name + "/" + file; }
  /// Write a file and return its path.
  std::string write(const std::string &file, std::string_view text) const {
    std::ofstream(path(file), std::ios::binary) << text;
    return path(file);
  }
  std::string read(const std::string &file) const {
    std::ostringstream text;
    text << std::ifstream(path(file), std::ios::binary).rdbuf();
    return text.str();
  }
  bool has(const std::string &file) const { return std::filesystem::exists(path(file)); }

private:
  std::string name;
};

} // namespace tower::test

#endif // TOWERC_TEST_UNIT_TEMPORARYFOLDER_H
