// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The rows of a table that a user hands in: .tsv, .csv or .tfrecord, read once from front to back.
#ifndef TOWERC_FRONTEND_ROWREADER_H
#define TOWERC_FRONTEND_ROWREADER_H

#include "frontend/DataErrors.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tower {

class RowReader {
public:
  virtual ~RowReader() = default;

  /// The file at `path`, by its extension; `shown` names it in messages. Null, with an error added, if it cannot be
  /// read.
  static std::unique_ptr<RowReader> open(const std::string &path, const std::string &shown, DataErrors &errors);

  /// Whether the header has the column; of a .tfrecord, the first record.
  virtual bool hasColumn(std::string_view name) const = 0;
  /// A handle of the column `name`, or -1 if there is none. Of a .tfrecord any name has one: features may come later.
  virtual int column(std::string_view name) = 0;
  /// The names of all columns that are known by now, for messages.
  virtual std::vector<std::string> columnNames() const = 0;

  /// Those of the columns asked for that no row had; a .tfrecord may lack one without a header to tell.
  virtual std::vector<std::string> neverSeen() const { return {}; }

  /// Go to the next good row; add an error for each bad one on the way. False at the end or when `errors` is full.
  virtual bool next() = 0;
  /// "file:line" of the row.
  virtual std::string where() const = 0;

  // What a column holds in this row. The views are good until next() is called. An error is added, and false returned,
  // if the row cannot be read this way.

  /// One value; empty if missing.
  virtual bool single(int column, std::string_view &value) = 0;
  /// Non-empty values; of text, those between separators.
  virtual bool values(int column, std::string_view separator, std::vector<std::string_view> &out) = 0;
  /// Finite numbers; of text, those between separators.
  virtual bool numbers(int column, std::string_view separator, std::vector<double> &out) = 0;

protected:
  RowReader(std::string shown, DataErrors &errors) : file(std::move(shown)), errors(errors) {}

  std::string file;
  DataErrors &errors;
};

// Used by RowReader::open.
std::unique_ptr<RowReader> openTextRows(const std::string &path, const std::string &shown, bool quotes,
                                        DataErrors &errors);
std::unique_ptr<RowReader> openTfRecordRows(const std::string &path, const std::string &shown, DataErrors &errors);

} // namespace tower

#endif // TOWERC_FRONTEND_ROWREADER_H
