// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Memrefs from pointers and back, by the LLVM descriptors that they become; the casts between vanish with the
// conversion.
#include "passes/Frame.h"
#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace tower {

Value memrefFromPointer(ImplicitLocOpBuilder &b, const LLVMTypeConverter &converter, MemRefType type, Value pointer,
                        ValueRange sizes) {
  auto constant = [&](int64_t value) -> Value { return LLVM::ConstantOp::create(b, b.getI64IntegerAttr(value)); };
  auto descriptor = MemRefDescriptor::poison(b, b.getLoc(), converter.convertType(type));
  descriptor.setAllocatedPtr(b, b.getLoc(), pointer);
  descriptor.setAlignedPtr(b, b.getLoc(), pointer);
  descriptor.setOffset(b, b.getLoc(), constant(0));
  SmallVector<Value> extents;
  for (int64_t size : type.getShape()) {
    if (ShapedType::isDynamic(size)) {
      extents.push_back(sizes.front());
      sizes = sizes.drop_front();
    } else {
      extents.push_back(constant(size));
    }
  }
  Value stride = constant(1);
  for (int64_t i = type.getRank() - 1; i >= 0; --i) {
    descriptor.setSize(b, b.getLoc(), i, extents[i]);
    descriptor.setStride(b, b.getLoc(), i, stride);
    if (i > 0)
      stride = LLVM::MulOp::create(b, stride, extents[i]);
  }
  return UnrealizedConversionCastOp::create(b, type, Value(descriptor)).getResult(0);
}

Value pointerFromMemref(ImplicitLocOpBuilder &b, const LLVMTypeConverter &converter, Value memory) {
  Type descriptor = converter.convertType(memory.getType());
  Value cast = UnrealizedConversionCastOp::create(b, descriptor, memory).getResult(0);
  return MemRefDescriptor(cast).alignedPtr(b, b.getLoc());
}

} // namespace tower
