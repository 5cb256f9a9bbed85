// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/target/Link.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

// What a sanitized runtime needs at link time; CMake sets it.
#ifndef TOWERC_LINK_FLAGS
#define TOWERC_LINK_FLAGS ""
#endif

static LogicalResult runLinker(ArrayRef<StringRef> arguments, raw_ostream &errors) {
  ErrorOr<std::string> compiler = sys::findProgramByName("c++");
  if (!compiler) {
    errors << "error: no c++ on PATH, which links executables; install g++, or use --emit=obj\n";
    return failure();
  }
  SmallString<128> log;
  if (std::error_code error = sys::fs::createTemporaryFile("towerc-link", "log", log)) {
    errors << "error: cannot make a temporary file: " << error.message() << "\n";
    return failure();
  }
  FileRemover remover(log);
  SmallVector<StringRef> command{"c++"};
  command.append(arguments.begin(), arguments.end());
  std::string message;
  std::optional<StringRef> redirects[] = {std::nullopt, StringRef(log), StringRef(log)};
  int code = sys::ExecuteAndWait(*compiler, command, std::nullopt, redirects, 0, 0, &message);
  if (code == 0)
    return success();
  errors << "error: linking failed: " << join(command, " ") << "\n" << message;
  if (ErrorOr<std::unique_ptr<MemoryBuffer>> text = MemoryBuffer::getFile(log))
    errors << (*text)->getBuffer();
  return failure();
}

// The archive of that name in the runtime's folder, or an empty string after an error.
static std::string archive(StringRef folder, StringRef name, raw_ostream &errors) {
  SmallString<128> path(folder);
  sys::path::append(path, name);
  if (sys::fs::exists(path))
    return std::string(path);
  errors << "error: " << path << " is missing; towerc and its runtime are installed together: build or install again\n";
  return {};
}

static LogicalResult link(StringRef object, StringRef output, StringRef folder, ArrayRef<StringRef> archives,
                          ArrayRef<StringRef> flags, raw_ostream &errors) {
  SmallVector<std::string> paths;
  for (StringRef name : archives) {
    paths.push_back(archive(folder, name, errors));
    if (paths.back().empty())
      return failure();
  }
  SmallVector<StringRef> arguments{"-o", output, object};
  arguments.append(flags.begin(), flags.end());
  arguments.append(paths.begin(), paths.end());
  SmallVector<StringRef> extra;
  StringRef(TOWERC_LINK_FLAGS).split(extra, ' ', -1, /*KeepEmpty=*/false);
  arguments.append(extra);
  arguments.append({"-pthread", "-Wl,--gc-sections", "-Wl,--as-needed"});
  return runLinker(arguments, errors);
}

LogicalResult tower::linkExecutable(StringRef object, StringRef output, StringRef runtimeFolder, raw_ostream &errors) {
  return link(object, output, runtimeFolder, {"libtower_main.a", "libtower_runtime.a"}, {}, errors);
}

LogicalResult tower::linkLibrary(StringRef object, StringRef output, StringRef runtimeFolder, raw_ostream &errors) {
  // Templates of the C++ library that the runtime uses stay inside, or a host's own would stand in for them.
  int file;
  SmallString<128> exports;
  if (std::error_code error = sys::fs::createTemporaryFile("towerc-exports", "map", file, exports)) {
    errors << "error: cannot make a temporary file: " << error.message() << "\n";
    return failure();
  }
  FileRemover remover(exports);
  raw_fd_ostream(file, /*shouldClose=*/true) << "{ global: tower_*; local: *; };\n";
  std::string script = ("-Wl,--version-script=" + exports).str();
  // The library's interface is asked for by name: nothing in the object refers to it.
  return link(object, output, runtimeFolder, {"libtower_runtime.a"}, {"-shared", "-Wl,-u,tower_open", script}, errors);
}
