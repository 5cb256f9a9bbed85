// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tables of what towerc --explain says.
#ifndef TOWER_PASSES_TABLE_H
#define TOWER_PASSES_TABLE_H

#include "mlir/Support/LLVM.h"

#include <string>
#include <vector>

namespace tower {

/// "12.3 M" of 12345678.
std::string shortNumber(double number);

/// Cells of a line of a table. Those that others have more of are empty.
using TableRow = std::vector<std::string>;

/// Columns as wide as they must be, two spaces before each; nothing fills up a line's end.
void printTable(mlir::ArrayRef<TableRow> rows, mlir::raw_ostream &os);

} // namespace tower

#endif
