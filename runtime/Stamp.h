// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// <dataset>/.stamp.json: which files were found good, by size, time of change and content.
#ifndef TOWER_RUNTIME_STAMP_H
#define TOWER_RUNTIME_STAMP_H

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tower::rt {

struct FileStamp {
  int64_t size = 0;
  int64_t changed = 0; // nanoseconds since 1970
  uint64_t hash = 0;   // hashBytes of the content
};

using Stamp = std::map<std::string, FileStamp>; // by path relative to the dataset's folder

/// Sizes and times of the files as they are now, without hashes. Throws Error if one is missing.
Stamp currentFiles(const std::string &folder, const std::vector<std::string> &files);

/// If the folder's stamp knows all of these files with their sizes and times, fills in the hashes and returns true.
bool readStamp(const std::string &folder, Stamp &files);

/// Hashes the files' contents.
void hashFiles(const std::string &folder, Stamp &files);

/// Writes the stamp; does nothing where the folder cannot be written to.
void writeStamp(const std::string &folder, const Stamp &files);

/// A hash of the files' names and hashes.
uint64_t combinedHash(const Stamp &files);

} // namespace tower::rt
#endif
