// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The stamp of a dataset. It only saves time: whatever is wrong with it means that the files are read again.
#include "runtime/Stamp.h"

#include "runtime/Error.h"
#include "runtime/File.h"
#include "runtime/Json.h"

#include <cerrno>
#include <charconv>

#include <sys/stat.h>

using namespace tower::rt;

namespace {
constexpr int64_t stampVersion = 1; // raised when more is checked
const char *const stampName = "/.stamp.json";
// A file system's clock stands still for up to 10 ms: a file that was as young as this when it was stamped may have been
// written once more at the same time.
constexpr int64_t tick = 20'000'000; // nanoseconds

int64_t changeTime(const struct stat &status) {
  return int64_t{status.st_mtim.tv_sec} * 1000000000 + status.st_mtim.tv_nsec;
}
} // namespace

Stamp tower::rt::currentFiles(const std::string &folder, const std::vector<std::string> &files) {
  Stamp stamp;
  for (const std::string &file : files) {
    struct stat status;
    std::string path = folder + "/" + file;
    if (::stat(path.c_str(), &status) != 0)
      throw Error(path + ": cannot be opened: " + errnoText(errno));
    stamp[file] = {status.st_size, changeTime(status), 0};
  }
  return stamp;
}

bool tower::rt::readStamp(const std::string &folder, Stamp &files) {
  try {
    std::string path = folder + stampName;
    struct stat stamped;
    if (::stat(path.c_str(), &stamped) != 0)
      return false;
    Json document = parseJson(readText(path), path);
    JsonView root(document, path);
    if (root.integer("version") != stampVersion)
      return false;
    JsonView known = root.field("files");
    for (auto &[name, file] : files) {
      JsonView entry = known.field(name.c_str());
      std::string hash = entry.text("hash");
      if (file.changed + tick > changeTime(stamped) || entry.integer("size") != file.size ||
          entry.integer("changed_ns") != file.changed ||
          std::from_chars(hash.data(), hash.data() + hash.size(), file.hash, 16).ptr != hash.data() + hash.size())
        return false;
    }
    return true;
  } catch (const Error &) {
    return false;
  }
}

void tower::rt::hashFiles(const std::string &folder, Stamp &files) {
  for (auto &[name, file] : files)
    file.hash = hashBytes(MappedFile(folder + "/" + name).text());
}

void tower::rt::writeStamp(const std::string &folder, const Stamp &files) {
  Json known = Json::object();
  for (const auto &[name, file] : files)
    known[name] = {{"size", file.size}, {"changed_ns", file.changed}, {"hash", hex(file.hash)}};
  std::string text = Json{{"version", stampVersion}, {"files", known}}.dump(1) + "\n";
  try {
    replaceFile(folder + stampName, [&](FileWriter &writer) { writer.write(text); });
  } catch (const Error &) {
    // A read-only folder: the files are read again next time.
  }
}

uint64_t tower::rt::combinedHash(const Stamp &files) {
  std::string text;
  for (const auto &[name, file] : files)
    text += name + " " + hex(file.hash) + "\n";
  return hashBytes(text);
}
