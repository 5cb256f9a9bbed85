// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `towerc data import` and `towerc data mi`.
#ifndef TOWERC_FRONTEND_DATAMAIN_H
#define TOWERC_FRONTEND_DATAMAIN_H

namespace tower {

/// argv[0] is "data", argv[1] the command. Returns the exit code: 0, or 1 after an error was printed, or 2 when the
/// command line is wrong.
int dataMain(int argc, char **argv);

/// `towerc data mi FOLDER [--entity NAME]...` with argv[0] "mi".
int miMain(int argc, char **argv);

} // namespace tower

#endif // TOWERC_FRONTEND_DATAMAIN_H
