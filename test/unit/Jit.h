// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs IR in a test: parses a module, runs passes of ours, lowers the rest to LLVM and compiles it for this machine.
#ifndef TOWER_TEST_UNIT_JIT_H
#define TOWER_TEST_UNIT_JIT_H

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tower::test {

/// A memref's descriptor, as functions with `llvm.emit_c_interface` take it (by pointer).
template <typename T, int rank> struct MemRef {
  T *allocated, *aligned;
  int64_t offset = 0;
  int64_t sizes[rank], strides[rank];
};

template <typename T> MemRef<T, 1> memRef(T *data, int64_t size) { return {data, data, 0, {size}, {1}}; }

template <typename T> MemRef<T, 2> memRef(T *data, int64_t rows, int64_t columns, int64_t stride) {
  return {data, data, 0, {rows, columns}, {stride, 1}};
}

/// A compiled module. Nothing here throws: an error goes to stderr and makes `compile` return null.
class Jit {
public:
  /// `passes`: a textual pipeline over the module that leaves upstream dialects, e.g. "tower-approximate-math".
  static std::unique_ptr<Jit> compile(const std::string &source, const std::string &passes);
  ~Jit();

  /// Calls a function that has `llvm.emit_c_interface` with pointers to descriptors.
  template <typename... Descriptors> void call(const std::string &name, Descriptors &...descriptors) const {
    reinterpret_cast<void (*)(Descriptors * ...)>(address("_mlir_ciface_" + name))(&descriptors...);
  }

  /// The address of a symbol; aborts the test program if there is none.
  void *address(const std::string &symbol) const;

private:
  struct Parts;
  explicit Jit(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts;
};

} // namespace tower::test

#endif
