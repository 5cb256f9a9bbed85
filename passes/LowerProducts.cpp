// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Turns each linalg.matmul of f32 memrefs into packing, blocked loops and calls of micro-kernels. Replaces upstream's
// linalg-block-pack-matmul, which packs C as well and leaves the kernel to be vectorized.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Remarks.h"
#include "passes/Passes.h"
#include "passes/Products.h"
#include "passes/products/Emit.h"
#include "passes/products/Epilogue.h"

using namespace mlir;
using namespace tower::products;

namespace tower {
#define GEN_PASS_DEF_LOWERPRODUCTS
#include "passes/Passes.h.inc"

namespace {

AffineMap mapOf(MLIRContext *context, unsigned row, unsigned column) {
  return AffineMap::get(3, 0, {getAffineDimExpr(row, context), getAffineDimExpr(column, context)}, context);
}

/// Whether `map` reads (rows, columns), in that order or transposed; nothing if neither.
std::optional<bool> isTransposed(AffineMap map, unsigned row, unsigned column) {
  if (map == mapOf(map.getContext(), row, column))
    return false;
  if (map == mapOf(map.getContext(), column, row))
    return true;
  return std::nullopt;
}

/// The operand as one dimension of memory from its allocation's aligned start on.
Matrix flatten(IndexMath &math, Value memory) {
  auto type = cast<MemRefType>(memory.getType());
  SmallVector<int64_t> strides;
  int64_t offset;
  [[maybe_unused]] LogicalResult strided = type.getStridesAndOffset(strides, offset);
  assert(succeeded(strided) && "checked by the caller");
  Index start = offset, stride = strides[0];
  if (ShapedType::isDynamic(offset) || ShapedType::isDynamic(strides[0])) {
    auto metadata = memref::ExtractStridedMetadataOp::create(math.builder, math.loc, memory);
    start = math.fromFoldResult(metadata.getConstifiedMixedOffset());
    stride = math.fromFoldResult(metadata.getConstifiedMixedStrides()[0]);
  }
  // A vector is one row.
  Index length = math.add(start, type.getRank() == 1 ? math.dim(memory, 0) : math.mul(math.dim(memory, 0), stride));
  OpFoldResult size = length.isKnown() ? OpFoldResult(math.builder.getIndexAttr(length.known())) : length.value();
  OpFoldResult zero = math.builder.getIndexAttr(0), one = math.builder.getIndexAttr(1);
  auto flat = MemRefType::get({ShapedType::kDynamic}, type.getElementType());
  Value unsized = memref::ReinterpretCastOp::create(math.builder, math.loc, memory, zero, size, one);
  if (unsized.getType() != flat)
    unsized = memref::CastOp::create(math.builder, math.loc, flat, unsized);
  return {unsized, start, stride};
}

struct LowerProducts : impl::LowerProductsBase<LowerProducts> {
  using LowerProductsBase::LowerProductsBase;

  LogicalResult initialize(MLIRContext *context) override {
    if (dotBf16 && vectorWidth != 16)
      return emitError(UnknownLoc::get(context)) << "tower-lower-products: dot-bf16 needs vector-width=16 (AVX-512)";
    if (vectorWidth == 8 || vectorWidth == 16)
      return success();
    return emitError(UnknownLoc::get(context))
           << "tower-lower-products: vector-width is 8 (AVX2) or 16 (AVX-512), not " << vectorWidth.getValue();
  }

  void runOnOperation() override {
    SmallVector<linalg::MatmulOp> products;
    getOperation().walk([&](linalg::MatmulOp op) {
      if (op.hasPureBufferSemantics())
        products.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    Tile tile = chooseTile(vectorWidth);
    tile.copyTransposed = copyTransposed;
    Tile bf16Tile = tile;
    bf16Tile.format = dotBf16 ? Format::pairs : Format::rounded;
    Kernels kernels(getOperation(), tile), bf16Kernels(getOperation(), bf16Tile);
    for (linalg::MatmulOp op : products) {
      rewriter.setInsertionPoint(op);
      StringRef reason = whyNot(op);
      if (!reason.empty())
        fallBack(rewriter, op, reason);
      else if (op->hasAttr(kBf16Attr))
        lower(rewriter, bf16Kernels, bf16Tile, op);
      else
        lower(rewriter, kernels, tile, op);
    }
  }

  /// Why fast code is not generated for this product; empty if it is.
  StringRef whyNot(linalg::MatmulOp op) {
    for (Value operand : op->getOperands()) {
      auto type = cast<MemRefType>(operand.getType());
      SmallVector<int64_t> strides;
      int64_t offset;
      if (!type.getElementType().isF32())
        return "elements are not f32";
      if (failed(type.getStridesAndOffset(strides, offset)) || type.getRank() != 2 || strides[1] != 1)
        return "rows are not contiguous";
    }
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    if (!isTransposed(maps[0], 0, 2) || !isTransposed(maps[1], 2, 1) || isTransposed(maps[2], 0, 1) != false)
      return "an operand is broadcast";
    return "";
  }

  void fallBack(IRRewriter &rewriter, linalg::MatmulOp op, StringRef reason) {
    remark::missed(op.getLoc(), remark::RemarkOpts::name("product").category(getArgument()))
        << remark::reason("{0}", reason);
    if (op->hasAttr(kOverwriteAttr)) {
      Type element = cast<MemRefType>(op.getOutputs()[0].getType()).getElementType();
      Value zero = arith::ConstantOp::create(rewriter, op.getLoc(), rewriter.getZeroAttr(element));
      linalg::FillOp::create(rewriter, op.getLoc(), zero, op.getOutputs());
    }
    if (failed(linalg::linalgOpToLoops(rewriter, op)))
      return signalPassFailure();
    rewriter.eraseOp(op);
  }

  void lower(IRRewriter &rewriter, Kernels &kernels, Tile tile, linalg::MatmulOp op) {
    IndexMath math(rewriter, op.getLoc());
    Value a = op.getInputs()[0], b = op.getInputs()[1], c = op.getOutputs()[0];
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    bool transposeA = *isTransposed(maps[0], 0, 2), transposeB = *isTransposed(maps[1], 2, 1);
    // Two operands have each extent: what one does not know, the other may.
    auto extent = [&](Value x, int64_t dimX, Value y, int64_t dimY) {
      Index size = math.dim(x, dimX);
      if (!size.isKnown())
        size = math.dim(y, dimY);
      std::optional<int64_t> most = sizeLimit(x, dimX);
      return Extent{size, most ? most : sizeLimit(y, dimY)};
    };
    Extents extents{extent(c, 0, a, transposeA), extent(c, 1, b, !transposeB), extent(a, !transposeA, b, transposeB)};
    if (!extents.m.size.is(0) && !extents.n.size.is(0)) {
      auto parallel = op->getParentOfType<scf::ParallelOp>();
      Blocking blocking = chooseBlocking(extents, transposeA, transposeB, tile, parallel != nullptr);
      Product product{flatten(math, a), flatten(math, b), flatten(math, c),
                      transposeA,       transposeB,       op->hasAttr(kOverwriteAttr),
                      extents};
      if (linalg::GenericOp behind = findEpilogue(op)) {
        Epilogue epilogue = readEpilogue(behind);
        if (epilogue.bias)
          product.bias = flatten(math, epilogue.bias);
        if (epilogue.gate)
          product.gate = flatten(math, epilogue.gate);
        product.relu = epilogue.relu;
        rewriter.eraseOp(behind);
      }
      emitProduct(math, kernels, product, blocking, parallel);
      remark::passed(op.getLoc(), remark::RemarkOpts::name("product").category(getArgument()))
          << remark::metric("packed", blocking.packB ? blocking.packedDepth * blocking.packedColumns : 0)
          << remark::metric("pieces", blocking.parallel ? blocking.rowCuts * blocking.columnCuts : 1);
    }
    rewriter.eraseOp(op);
  }
};
} // namespace

void buildProduct(OpBuilder &builder, Location loc, Value a, bool transposeA, Value b, bool transposeB, Value c,
                  bool accumulate, const Epilogue &epilogue, bool bf16) {
  MLIRContext *context = builder.getContext();
  auto map = [&](unsigned row, unsigned column, bool transpose) {
    return transpose ? mapOf(context, column, row) : mapOf(context, row, column);
  };
  auto product = linalg::MatmulOp::create(builder, loc, ValueRange{a, b}, ValueRange{c});
  product.setIndexingMapsAttr(
      builder.getAffineMapArrayAttr({map(0, 2, transposeA), map(2, 1, transposeB), map(0, 1, false)}));
  if (!accumulate)
    product->setAttr(kOverwriteAttr, builder.getUnitAttr());
  if (bf16)
    product->setAttr(kBf16Attr, builder.getUnitAttr());
  if (epilogue.bias || epilogue.relu || epilogue.gate)
    buildEpilogue(builder, loc, c, epilogue);
}

std::optional<int64_t> sizeLimit(Value memory, int64_t dimension) {
  while (auto part = memory.getDefiningOp<memref::SubViewOp>()) {
    if (part.getSourceType().getRank() != part.getType().getRank())
      return std::nullopt;
    memory = part.getSource();
    if (int64_t size = cast<MemRefType>(memory.getType()).getDimSize(dimension); !ShapedType::isDynamic(size))
      return size;
  }
  return std::nullopt;
}

} // namespace tower
