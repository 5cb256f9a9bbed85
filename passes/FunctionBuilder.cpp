// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/FunctionBuilder.h"
#include "passes/Passes.h"

using namespace mlir;
using namespace tower;

FunctionBuilder::FunctionBuilder(ModuleOp module, Location loc, StringRef name) : builder(module.getContext()) {
  builder.setInsertionPointToEnd(module.getBody());
  function = func::FuncOp::create(builder, loc, name, builder.getFunctionType({}, {}));
  builder.setInsertionPointToStart(function.addEntryBlock());
}

BlockArgument FunctionBuilder::find(DictionaryAttr key, Type type) {
  auto [it, isNew] = arguments.try_emplace(key);
  if (isNew) {
    unsigned index = function.getNumArguments();
    auto attributes = builder.getDictionaryAttr(builder.getNamedAttr(kArgument, key));
    LogicalResult inserted = function.insertArgument(index, type, attributes, function.getLoc());
    assert(succeeded(inserted) && "an entry point takes any argument");
    (void)inserted;
    it->second = function.getArgument(index);
  }
  return it->second;
}

Value FunctionBuilder::argument(StringRef kind, ArrayRef<int64_t> shape, Type element,
                                ArrayRef<std::pair<StringRef, StringRef>> names) {
  NamedAttrList key;
  key.set("kind", builder.getStringAttr(kind));
  for (auto [name, value] : names)
    key.set(name, builder.getStringAttr(value));
  return find(key.getDictionary(builder.getContext()), type(shape, element));
}

Value FunctionBuilder::tensor(StringRef name) { return function.getArgument(tensorArgument(name)); }

unsigned FunctionBuilder::tensorArgument(StringRef name) {
  auto tensor = SymbolTable::lookupNearestSymbolFrom<TensorOp>(function, builder.getStringAttr(name));
  auto type = cast<RankedTensorType>(tensor.getType());
  Value value = argument("tensor", type.getShape(), type.getElementType(), {{"name", name}});
  return cast<BlockArgument>(value).getArgNumber();
}

Value FunctionBuilder::column(StringRef entity, StringRef column, StringRef part, int64_t width) {
  Type element = part == "offsets"   ? Type(builder.getI64Type())
                 : part == "numbers" ? Type(builder.getF32Type())
                                     : Type(builder.getI32Type());
  SmallVector<int64_t> shape(1, ShapedType::kDynamic);
  if (part == "numbers")
    shape.push_back(width);
  return argument("column", shape, element, {{"entity", entity}, {"column", column}, {"part", part}});
}

Value FunctionBuilder::pairs(StringRef part) {
  Type element = part == "weight" ? Type(builder.getF32Type()) : Type(builder.getI32Type());
  return argument("pairs", {ShapedType::kDynamic}, element, {{"part", part}});
}

void FunctionBuilder::addResult(StringRef name, Value value) {
  results.push_back(value);
  resultAttributes.push_back(
      builder.getDictionaryAttr(builder.getNamedAttr("tower.result", builder.getStringAttr(name))));
}

void FunctionBuilder::addUpdate(unsigned argument, Value value) {
  results.push_back(value);
  resultAttributes.push_back(
      builder.getDictionaryAttr(builder.getNamedAttr(kUpdates, builder.getI64IntegerAttr(argument))));
}

void FunctionBuilder::finish() {
  func::ReturnOp::create(builder, function.getLoc(), results);
  function.setFunctionType(builder.getFunctionType(function.getArgumentTypes(), TypeRange(ValueRange(results))));
  for (auto [i, attributes] : llvm::enumerate(resultAttributes))
    function.setResultAttrs(i, attributes);
}
