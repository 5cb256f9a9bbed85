// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/Table.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>

std::string tower::shortNumber(double number) {
  static const char *units[] = {"", " k", " M", " G", " T", " P"};
  int unit = 0;
  for (; number >= 999.5 && unit < 5; ++unit)
    number /= 1000;
  const char *format = unit == 0 ? "%.0f" : number < 9.995 ? "%.2f" : number < 99.95 ? "%.1f" : "%.0f";
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format(format, number) << units[unit];
  return text;
}

void tower::printTable(mlir::ArrayRef<TableRow> rows, mlir::raw_ostream &os) {
  std::vector<size_t> widths;
  for (const TableRow &row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], row[i].size());
  }
  for (const TableRow &row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i)
      line += "  " + row[i] + std::string(widths[i] - row[i].size(), ' ');
    os << llvm::StringRef(line).rtrim() << "\n";
  }
}
