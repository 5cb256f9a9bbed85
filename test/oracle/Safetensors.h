// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Named tensors in .safetensors files, for comparing with test/reference.
#ifndef TEST_ORACLE_SAFETENSORS_H
#define TEST_ORACLE_SAFETENSORS_H

#include "test/oracle/Tensor.h"

#include <map>
#include <string>

namespace tower::oracle {

/// Reads F32 and F64 tensors. Throws rt::Error.
std::map<std::string, Tensor> readSafetensors(const std::string &path);

/// Writes reals as F64, integers as I32. Throws rt::Error.
void writeSafetensors(const std::string &path, const std::map<std::string, Tensor> &tensors);

} // namespace tower::oracle

#endif
