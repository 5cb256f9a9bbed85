// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontend/OutputFile.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace mlir;

LogicalResult tower::writeOutput(StringRef path, function_ref<LogicalResult(llvm::raw_pwrite_stream &)> writer) {
  // In memory first: not every file can seek, and a writer may fail.
  SmallVector<char, 0> buffer;
  llvm::raw_svector_ostream os(buffer);
  return failed(writer(os)) ? failure() : writeOutput(path, StringRef(buffer.data(), buffer.size()));
}

LogicalResult tower::writeOutput(StringRef path, StringRef bytes) {
  std::string message;
  std::unique_ptr<llvm::ToolOutputFile> file = openOutputFile(path, &message);
  if (!file) {
    llvm::errs() << "error: " << message << "\n";
    return failure();
  }
  file->os() << bytes;
  file->os().flush();
  if (file->os().has_error()) {
    llvm::errs() << "error: cannot write " << path << ": " << file->os().error().message() << "\n";
    file->os().clear_error();
    return failure();
  }
  file->keep();
  return success();
}

LogicalResult tower::checkOutput(StringRef path) {
  if (path == "-")
    return success();
  StringRef folder = llvm::sys::path::parent_path(path);
  std::error_code error;
  if (llvm::sys::fs::is_directory(path))
    error = std::make_error_code(std::errc::is_a_directory);
  else if (!folder.empty() && !llvm::sys::fs::exists(folder))
    error = std::make_error_code(std::errc::no_such_file_or_directory);
  else
    error = llvm::sys::fs::access(folder.empty() ? "." : folder, llvm::sys::fs::AccessMode::Write);
  if (!error)
    return success();
  llvm::errs() << "error: cannot write " << path << ": " << error.message() << "\n";
  return failure();
}
