// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// main() of a compiled model's executable.
#include "runtime/Commands.h"

#include <iostream>

int main(int argc, char **argv) {
  std::vector<std::string> arguments(argv, argv + argc);
  if (arguments.empty())
    arguments.push_back("tower");
  return tower::rt::runExecutable(tower_program, arguments, std::cin, std::cout, std::cerr);
}
