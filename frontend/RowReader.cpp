// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which reader a file's extension calls for.
#include "frontend/RowReader.h"

using namespace tower;

std::unique_ptr<RowReader> RowReader::open(const std::string &path, const std::string &shown, DataErrors &errors) {
  if (path.ends_with(".tsv"))
    return openTextRows(path, shown, /*quotes=*/false, errors);
  if (path.ends_with(".csv"))
    return openTextRows(path, shown, /*quotes=*/true, errors);
  if (path.ends_with(".tfrecord"))
    return openTfRecordRows(path, shown, errors);
  errors.add(shown, "unknown kind of file; use a name that ends in .tsv, .csv or .tfrecord");
  return nullptr;
}
