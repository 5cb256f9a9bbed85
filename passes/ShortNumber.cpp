// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/ShortNumber.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

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
