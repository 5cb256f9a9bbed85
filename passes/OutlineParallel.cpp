// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The body of a parallel loop becomes a function that the runtime's threads call, piece by piece.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/RegionUtils.h"
#include "passes/Frame.h"
#include "passes/Passes.h"
#include "passes/RuntimeCalls.h"

#include <map>

using namespace mlir;

namespace tower {
#define GEN_PASS_DEF_OUTLINEPARALLEL
#include "passes/Passes.h.inc"

namespace {

/// Ops that are cheaper to do again in the body than to carry their result over: constants, and other forms of memory.
/// A buffer of the arena is carried over, so that bodies which differ only in their buffers' places are one function.
bool isRepeated(Operation *op) {
  return op && (op->hasTrait<OpTrait::ConstantLike>() || isa<memref::SubViewOp, memref::CastOp, memref::CollapseShapeOp,
                                                             memref::ExpandShapeOp, memref::ReinterpretCastOp>(op));
}

/// The bodies so far, so that loops which do the same on other buffers share one function.
class Bodies {
public:
  /// `body`, or an earlier function that does the same; then `body` is erased.
  func::FuncOp share(func::FuncOp body) {
    llvm::hash_code hash(0);
    body.walk([&](Operation *op) {
      if (op != body)
        hash = llvm::hash_combine(hash, op->getName().getAsOpaquePointer(), op->hashProperties(),
                                  llvm::hash_combine_range(op->result_type_begin(), op->result_type_end()));
    });
    auto &candidates = known[hash];
    for (func::FuncOp other : candidates)
      if (OperationEquivalence::isRegionEquivalentTo(&body.getBody(), &other.getBody(),
                                                     OperationEquivalence::IgnoreLocations)) {
        body.erase();
        return other;
      }
    candidates.push_back(body);
    return body;
  }

  /// A name for the next function, after the op that it comes from.
  std::string nextName(Location loc) {
    auto named = dyn_cast<NameLoc>(loc);
    return ("tower_piece_" + Twine(count++) + "_" + (named ? named.getName().getValue() : "loop")).str();
  }

private:
  std::map<size_t, SmallVector<func::FuncOp>> known;
  unsigned count = 0;
};

class Outliner {
public:
  Outliner(scf::ParallelOp loop, Value runtime, func::FuncOp parent, Bodies &bodies)
      : loop(loop), runtime(runtime), parent(parent), bodies(bodies), converter(loop.getContext()) {}

  LogicalResult run();

private:
  void capture(Value value);
  Value fieldOf(ImplicitLocOpBuilder &b, Value frame, unsigned field);
  void makeFrame();
  func::FuncOp makeBody();
  void call(func::FuncOp body);

  scf::ParallelOp loop;
  Value runtime;
  func::FuncOp parent;
  Bodies &bodies;
  LLVMTypeConverter converter;
  llvm::SetVector<Operation *> repeated; // in the order of their uses' needs
  llvm::SetVector<Value> captured;
  SmallVector<Type> fields;
  LLVM::LLVMStructType frameType;
};

void Outliner::capture(Value value) {
  Operation *op = value.getDefiningOp();
  if (!isRepeated(op)) {
    captured.insert(value);
    return;
  }
  if (repeated.contains(op))
    return;
  for (Value operand : op->getOperands())
    capture(operand);
  repeated.insert(op);
}

/// A memref takes a pointer and its dynamic sizes, an index an i64, anything else itself.
void Outliner::makeFrame() {
  MLIRContext *context = loop.getContext();
  for (Value value : captured) {
    auto memory = dyn_cast<MemRefType>(value.getType());
    fields.push_back(memory ? LLVM::LLVMPointerType::get(context) : converter.convertType(value.getType()));
    for (unsigned i = 0; memory && i < memory.getNumDynamicDims(); ++i)
      fields.push_back(IntegerType::get(context, 64));
  }
  frameType = LLVM::LLVMStructType::getLiteral(context, fields);
}

Value Outliner::fieldOf(ImplicitLocOpBuilder &b, Value frame, unsigned field) {
  return LLVM::GEPOp::create(b, LLVM::LLVMPointerType::get(b.getContext()), frameType, frame,
                             ArrayRef<LLVM::GEPArg>{0, static_cast<int32_t>(field)});
}

func::FuncOp Outliner::makeBody() {
  ImplicitLocOpBuilder b(loop.getLoc(), parent);
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  auto body = func::FuncOp::create(b, bodies.nextName(loop.getLoc()), b.getFunctionType({pointer, b.getI64Type()}, {}));
  body.setPrivate();
  b.setInsertionPointToStart(body.addEntryBlock());
  IRMapping mapping;
  unsigned field = 0;
  auto next = [&]() -> Value {
    Value place = fieldOf(b, body.getArgument(0), field);
    return LLVM::LoadOp::create(b, fields[field++], place);
  };
  for (Value value : captured) {
    Value loaded = next();
    if (auto memory = dyn_cast<MemRefType>(value.getType())) {
      SmallVector<Value> sizes;
      for (unsigned i = 0; i < memory.getNumDynamicDims(); ++i)
        sizes.push_back(next());
      loaded = memrefFromPointer(b, converter, memory, loaded, sizes);
    } else if (loaded.getType() != value.getType()) {
      loaded = arith::IndexCastOp::create(b, value.getType(), loaded);
    }
    mapping.map(value, loaded);
  }
  for (Operation *op : repeated)
    b.clone(*op, mapping);
  Value piece = arith::IndexCastOp::create(b, b.getIndexType(), body.getArgument(1));
  mapping.map(loop.getInductionVars()[0], piece);
  for (Operation &op : loop.getBody()->without_terminator())
    b.clone(op, mapping);
  func::ReturnOp::create(b);
  return bodies.share(body);
}

void Outliner::call(func::FuncOp body) {
  ImplicitLocOpBuilder b(loop.getLoc(), loop);
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  b.setInsertionPointToStart(&parent.getBody().front());
  Value one = LLVM::ConstantOp::create(b, b.getI64IntegerAttr(1));
  Value frame = LLVM::AllocaOp::create(b, pointer, frameType, one, /*alignment=*/8);
  b.setInsertionPoint(loop);
  unsigned field = 0;
  auto put = [&](Value value) { LLVM::StoreOp::create(b, value, fieldOf(b, frame, field++)); };
  for (Value value : captured) {
    auto memory = dyn_cast<MemRefType>(value.getType());
    if (memory)
      put(pointerFromMemref(b, converter, value));
    else if (value.getType().isIndex())
      put(arith::IndexCastOp::create(b, b.getI64Type(), value));
    else
      put(value);
    for (int64_t i = 0; memory && i < memory.getRank(); ++i)
      if (memory.isDynamicDim(i)) {
        Value size = memref::DimOp::create(b, value, i);
        put(arith::IndexCastOp::create(b, b.getI64Type(), size));
      }
  }
  Value address = func::ConstantOp::create(b, body.getFunctionType(), body.getName());
  address = UnrealizedConversionCastOp::create(b, pointer, address).getResult(0);
  Value pieces = arith::IndexCastOp::create(b, b.getI64Type(), loop.getUpperBound()[0]);
  auto run = TOWER_RUNTIME_FUNCTION(parent->getParentOfType<ModuleOp>(), tower_rt_parallel);
  func::CallOp::create(b, run, ValueRange{runtime, address, frame, pieces});
  loop.erase();
}

LogicalResult Outliner::run() {
  if (loop.getNumLoops() != 1 || loop.getNumReductions() != 0 || !matchPattern(loop.getLowerBound()[0], m_Zero()) ||
      !matchPattern(loop.getStep()[0], m_One()))
    return loop.emitOpError("must run over 0, 1, ... in one dimension, without a reduction, to be outlined");
  if (loop->getParentOfType<scf::ParallelOp>())
    return loop.emitOpError("is within another parallel loop; pieces are sequential");
  llvm::SetVector<Value> above;
  getUsedValuesDefinedAbove(loop.getRegion(), above);
  for (Value value : above)
    capture(value);
  for (Value value : captured)
    if (auto memory = dyn_cast<MemRefType>(value.getType()); memory && !memory.getLayout().isIdentity())
      return loop.emitOpError() << "uses memory of type " << memory << " that it cannot carry over";
  makeFrame();
  call(makeBody());
  return success();
}

struct OutlineParallel : impl::OutlineParallelBase<OutlineParallel> {
  void runOnOperation() override {
    bodies = Bodies();
    for (auto function : llvm::to_vector(getOperation().getOps<func::FuncOp>()))
      if (!function.isDeclaration() && failed(outline(function)))
        return signalPassFailure();
  }

  LogicalResult outline(func::FuncOp function) {
    SmallVector<scf::ParallelOp> loops;
    function.walk([&](scf::ParallelOp loop) { loops.push_back(loop); });
    // Every entry takes the runtime, so that all have one way to be called.
    if (function.isPrivate() && loops.empty())
      return success();
    unsigned last = function.getNumArguments();
    Type pointer = LLVM::LLVMPointerType::get(function.getContext());
    if (failed(function.insertArgument(last, pointer, {}, function.getLoc())))
      return failure();
    for (scf::ParallelOp loop : loops)
      if (failed(Outliner(loop, function.getArgument(last), function, bodies).run()))
        return failure();
    return success();
  }

  Bodies bodies;
};

} // namespace
} // namespace tower
