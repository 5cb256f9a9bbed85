// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/Constants.h"

using namespace mlir;

namespace tower {

static constexpr int64_t kAlignment = 8;

LLVM::GlobalOp textConstant(ImplicitLocOpBuilder &b, StringRef name, StringRef text) {
  auto type = LLVM::LLVMArrayType::get(b.getI8Type(), text.size() + 1);
  return LLVM::GlobalOp::create(b, type, /*isConstant=*/true, LLVM::Linkage::Internal, name,
                                b.getStringAttr(Twine(text) + StringRef("\0", 1)), kAlignment);
}

Value aggregateOf(ImplicitLocOpBuilder &b, Type type, ValueRange elements) {
  Value all = LLVM::UndefOp::create(b, type);
  for (auto [i, element] : llvm::enumerate(elements))
    all = LLVM::InsertValueOp::create(b, all, element, ArrayRef<int64_t>{static_cast<int64_t>(i)});
  return all;
}

LLVM::GlobalOp aggregateConstant(ImplicitLocOpBuilder &b, Type type, StringRef name, LLVM::Linkage linkage,
                                 function_ref<SmallVector<Value>()> elements) {
  auto global = LLVM::GlobalOp::create(b, type, /*isConstant=*/true, linkage, name, Attribute(), kAlignment);
  OpBuilder::InsertionGuard guard(b);
  b.createBlock(&global.getInitializerRegion());
  LLVM::ReturnOp::create(b, aggregateOf(b, type, elements()));
  return global;
}

} // namespace tower
