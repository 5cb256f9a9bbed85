// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A function under construction whose arguments appear as they are asked for.
#ifndef TOWER_PASSES_FUNCTIONBUILDER_H
#define TOWER_PASSES_FUNCTIONBUILDER_H

#include "dialect/Tower.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tower {

/// Builds the body of one entry point. Every argument carries `tower.argument`, the dictionary that says what the
/// runtime has to pass (docs/Manifest.md); asking twice for one thing gives one argument.
class FunctionBuilder {
public:
  FunctionBuilder(mlir::ModuleOp module, mlir::Location loc, llvm::StringRef name);

  mlir::OpBuilder builder;

  /// A tensor of the model, declared by a tower.tensor of that name.
  mlir::Value tensor(llvm::StringRef name);
  /// The position of that tensor among the arguments.
  unsigned tensorArgument(llvm::StringRef name);

  /// Data of an entity's column: part "ids", "offsets", "values" or "numbers" (`width` wide).
  mlir::Value column(llvm::StringRef entity, llvm::StringRef column, llvm::StringRef part, int64_t width = 0);
  /// Rows of the training pairs: part "query", "item" or "weight".
  mlir::Value pairs(llvm::StringRef part);
  /// Anything else: a kind, its shape (-1: known at run time), and what else names it.
  mlir::Value argument(llvm::StringRef kind, llvm::ArrayRef<int64_t> shape, mlir::Type element,
                       llvm::ArrayRef<std::pair<llvm::StringRef, llvm::StringRef>> names = {});
  mlir::Value step() { return argument("step", {}, builder.getI64Type()); }
  mlir::Value seed() { return argument("seed", {}, builder.getI64Type()); }

  /// Returns `value` under `name` from the function.
  void addResult(llvm::StringRef name, mlir::Value value);
  /// Returns `value` as the new value of an argument.
  void addUpdate(unsigned argument, mlir::Value value);
  /// Ends the function. Nothing may be added afterwards.
  void finish();

  mlir::RankedTensorType type(llvm::ArrayRef<int64_t> shape, mlir::Type element) {
    return mlir::RankedTensorType::get(shape, element);
  }
  mlir::RankedTensorType f32(llvm::ArrayRef<int64_t> shape) { return type(shape, builder.getF32Type()); }
  mlir::RankedTensorType i32(llvm::ArrayRef<int64_t> shape) { return type(shape, builder.getI32Type()); }

private:
  mlir::BlockArgument find(mlir::DictionaryAttr key, mlir::Type type);

  mlir::func::FuncOp function;
  llvm::DenseMap<mlir::Attribute, mlir::BlockArgument> arguments;
  llvm::SmallVector<mlir::Value> results;
  llvm::SmallVector<mlir::DictionaryAttr> resultAttributes;
};

} // namespace tower

#endif
