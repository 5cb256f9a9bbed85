// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Builds and recognizes the operation behind a product that adds a bias and applies or differentiates a ReLU.
#include "passes/products/Epilogue.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace tower::products {
namespace {

/// On the linalg.generic: which parts it has, in the order bias, relu, gate. Its operands follow from it.
constexpr llvm::StringLiteral kEpilogueAttr = "tower.epilogue";

bool has(linalg::GenericOp op, StringRef part) {
  return llvm::is_contained(op->getAttrOfType<ArrayAttr>(kEpilogueAttr).getAsValueRange<StringAttr>(), part);
}

/// Whether rows of a memref are contiguous f32.
bool isFlat(Value memory) {
  auto type = cast<MemRefType>(memory.getType());
  SmallVector<int64_t> strides;
  int64_t offset;
  return type.getElementType().isF32() && succeeded(type.getStridesAndOffset(strides, offset)) && strides.back() == 1;
}

} // namespace

void buildEpilogue(OpBuilder &builder, Location loc, Value c, const Epilogue &epilogue) {
  AffineMap whole = builder.getMultiDimIdentityMap(2);
  SmallVector<StringRef> parts;
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  if (epilogue.bias) {
    parts.push_back("bias");
    inputs.push_back(epilogue.bias);
    maps.push_back(AffineMap::get(2, 0, builder.getAffineDimExpr(1)));
  }
  if (epilogue.relu)
    parts.push_back("relu");
  if (epilogue.gate) {
    parts.push_back("gate");
    inputs.push_back(epilogue.gate);
    maps.push_back(whole);
  }
  maps.push_back(whole);
  SmallVector<utils::IteratorType> iterators(2, utils::IteratorType::parallel);
  auto op = linalg::GenericOp::create(
      builder, loc, inputs, ValueRange{c}, maps, iterators, [&](OpBuilder &b, Location at, ValueRange operands) {
        Value x = operands.back();
        Value zero = arith::ConstantOp::create(b, at, b.getZeroAttr(x.getType()));
        if (epilogue.bias)
          x = arith::AddFOp::create(b, at, x, operands.front());
        if (epilogue.relu) {
          Value negative = arith::CmpFOp::create(b, at, arith::CmpFPredicate::OGT, zero, x);
          x = arith::SelectOp::create(b, at, negative, zero, x);
        }
        if (epilogue.gate) {
          Value open = arith::CmpFOp::create(b, at, arith::CmpFPredicate::OGT, operands.drop_back().back(), zero);
          x = arith::SelectOp::create(b, at, open, x, zero);
        }
        linalg::YieldOp::create(b, at, x);
      });
  op->setAttr(kEpilogueAttr, builder.getStrArrayAttr(parts));
}

linalg::GenericOp findEpilogue(linalg::MatmulOp product) {
  auto next = dyn_cast_or_null<linalg::GenericOp>(product->getNextNode());
  if (!next || !next->hasAttrOfType<ArrayAttr>(kEpilogueAttr) || next.getOutputs()[0] != product.getOutputs()[0] ||
      !llvm::all_of(next.getInputs(), isFlat))
    return {};
  return next;
}

Epilogue readEpilogue(linalg::GenericOp op) {
  Epilogue epilogue;
  if (has(op, "bias"))
    epilogue.bias = op.getInputs().front();
  epilogue.relu = has(op, "relu");
  if (has(op, "gate"))
    epilogue.gate = op.getInputs().back();
  return epilogue;
}

} // namespace tower::products
