// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Transposes a few rows into columns of a panel, in registers.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/products/Kernel.h"
#include "passes/products/Words.h"
#include <string>

using namespace mlir;

namespace tower::products {

void Kernels::transpose(IndexMath &math, Place1D from, Index stride, Index rows, Index depth, Place1D to) {
  OpBuilder &outer = math.builder;
  Type index = outer.getIndexType(), flat = MemRefType::get({ShapedType::kDynamic}, outer.getF32Type());
  int64_t lanes = tile.lanes;
  int64_t perVector = lanes * tile.perWord();
  std::string name = "tower_product_transpose_" + std::to_string(lanes);
  if (tile.format != Format::f32)
    name += tile.format == Format::pairs ? "_bf16" : "_rounded";
  func::FuncOp function =
      getOrCreate(name, {flat, index, index, index, index, flat, index}, [&](IndexMath &inner, Block &entry) {
        OpBuilder &builder = inner.builder;
        Location loc = inner.loc;
        auto type = VectorType::get({perVector}, builder.getF32Type());
        Index source = entry.getArgument(1), stride = entry.getArgument(2), rows = entry.getArgument(3),
              depth = entry.getArgument(4), target = entry.getArgument(6);
        Value zero = arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
        SmallVector<Index> starts;
        Index last = inner.sub(rows, 1);
        for (int64_t j = 0; j < lanes; ++j)
          starts.push_back(inner.add(source, inner.mul(inner.min(j, last), stride)));
        inner.loop(0, depth, perVector, [&](Index k) {
          Value left = inner.materialize(inner.sub(depth, k));
          Value mask =
              vector::CreateMaskOp::create(builder, loc, type.cloneWith(std::nullopt, builder.getI1Type()), left);
          SmallVector<Value> lines;
          for (Index start : starts)
            lines.push_back(words(inner, tile,
                                  vector::MaskedLoadOp::create(builder, loc, type, entry.getArgument(0),
                                                               inner.materialize(inner.add(start, k)), mask, zero)));
          // A transposition by halves: exchange the blocks of side d off the diagonal, for d = lanes / 2 ... 1.
          for (int64_t d = lanes / 2; d; d /= 2) {
            SmallVector<int64_t> low, high;
            for (int64_t j = 0; j < lanes; ++j) {
              low.push_back(j & d ? lanes + j - d : j);
              high.push_back(j & d ? lanes + j : j + d);
            }
            for (int64_t j = 0; j < lanes; ++j) {
              if (j & d)
                continue;
              Value x = lines[j], y = lines[j + d];
              lines[j] = vector::ShuffleOp::create(builder, loc, x, y, low);
              lines[j + d] = vector::ShuffleOp::create(builder, loc, x, y, high);
            }
          }
          Index at = inner.add(target, inner.mul(inner.div(k, tile.perWord()), tile.columns()));
          for (int64_t j = 0; j < lanes; ++j)
            vector::StoreOp::create(builder, loc, lines[j], entry.getArgument(5),
                                    inner.materialize(inner.add(at, j * tile.columns())));
        });
      });
  SmallVector<Value> operands = {from.base,
                                 math.materialize(from.offset),
                                 math.materialize(stride),
                                 math.materialize(rows),
                                 math.materialize(depth),
                                 to.base,
                                 math.materialize(to.offset)};
  func::CallOp::create(outer, math.loc, function, operands);
}

} // namespace tower::products
