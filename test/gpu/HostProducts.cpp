// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/gpu/HostProducts.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "passes/RuntimeCalls.h"
#include "test/gpu/Device.h"

using namespace mlir;

namespace tower::gpu_test {
namespace {

constexpr int64_t kLanes = 32;

/// Products of one block that may be done at once, where the first one stands.
class Run {
public:
  explicit Run(NVVM::MmaOp first) : kind(kindOf(first)) { join(first); }

  /// Whether a product behind the others needs nothing that is made between them but their own sums.
  bool takes(NVVM::MmaOp op) const {
    if (op->getBlock() != products.front()->getBlock() || kindOf(op) != kind)
      return false;
    for (Operation *between = products.back()->getNextNode(); between != op; between = between->getNextNode())
      if (!isMemoryEffectFree(between))
        return false;
    auto isEarlier = [&](Value value) {
      Operation *definition = value.getDefiningOp();
      return !definition || definition->getBlock() != op->getBlock() || definition->isBeforeInBlock(products.front());
    };
    return llvm::all_of(op.getOperandA(), isEarlier) && llvm::all_of(op.getOperandB(), isEarlier) &&
           (llvm::all_of(op.getOperandC(), isEarlier) || before(op));
  }

  void join(NVVM::MmaOp op) {
    NVVM::MmaOp summed = products.empty() ? NVVM::MmaOp() : before(op);
    int64_t sums = summed ? sumsOf.lookup(summed) : place(op.getOperandC());
    steps.append({static_cast<int32_t>(place(op.getOperandA())), static_cast<int32_t>(place(op.getOperandB())),
                  static_cast<int32_t>(sums)});
    sumsOf[op] = sums;
    products.push_back(op);
  }

  void replace() {
    NVVM::MmaOp first = products.front();
    ImplicitLocOpBuilder b(first.getLoc(), first);
    auto module = first->getParentOfType<ModuleOp>();
    auto integer = [&](int64_t value) -> Value { return LLVM::ConstantOp::create(b, b.getI64IntegerAttr(value)); };
    Type pointer = LLVM::LLVMPointerType::get(b.getContext());
    Value registers = func::CallOp::create(b, TOWER_RUNTIME_FUNCTION(module, tower_device_registers),
                                           integer(static_cast<int64_t>(given.size())))
                          .getResult(0);
    auto at = [&](int64_t number) -> Value {
      return LLVM::GEPOp::create(b, pointer, b.getI32Type(), registers,
                                 ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(number * kLanes)});
    };
    for (auto [i, value] : llvm::enumerate(given))
      LLVM::StoreOp::create(b, value, at(i));
    func::CallOp::create(b, TOWER_RUNTIME_FUNCTION(module, tower_device_multiply),
                         ValueRange{stepsIn(module, b), integer(static_cast<int64_t>(products.size())),
                                    integer(kind == NVVM::MMATypes::bf16)});
    for (NVVM::MmaOp op : llvm::reverse(products)) {
      for (Operation *user : llvm::make_early_inc_range(op->getUsers())) {
        if (!user->use_empty()) {
          auto element = cast<LLVM::ExtractValueOp>(user);
          Value sum = LLVM::LoadOp::create(b, b.getF32Type(), at(sumsOf.lookup(op) + element.getPosition()[0]));
          element.replaceAllUsesWith(sum);
        }
        user->erase();
      }
      op->erase();
    }
  }

private:
  static NVVM::MMATypes kindOf(NVVM::MmaOp op) { return *op.getMultiplicandAPtxType(); }

  /// The product of this run to which `op` adds, if nothing else reads its sums.
  NVVM::MmaOp before(NVVM::MmaOp op) const {
    NVVM::MmaOp found;
    for (auto [i, operand] : llvm::enumerate(op.getOperandC())) {
      auto element = operand.getDefiningOp<LLVM::ExtractValueOp>();
      auto product = element ? element.getContainer().getDefiningOp<NVVM::MmaOp>() : NVVM::MmaOp();
      if (!product || !sumsOf.contains(product) || (found && found != product) || !element->hasOneUse() ||
          element.getPosition() != ArrayRef<int64_t>{static_cast<int64_t>(i)})
        return {};
      found = product;
    }
    return found;
  }

  /// The registers of an operand, each operand once; sums change, and have theirs alone.
  int64_t place(ValueRange operand) {
    bool isSums = operand[0].getType().isF32();
    std::vector<const void *> key;
    for (Value value : operand)
      key.push_back(value.getAsOpaquePointer());
    if (auto known = isSums ? places.end() : places.find(key); known != places.end())
      return known->second;
    int64_t at = given.size();
    given.append(operand.begin(), operand.end());
    if (!isSums)
      places[key] = at;
    return at;
  }

  /// The constant that says what is multiplied with what; equal ones are one.
  Value stepsIn(ModuleOp module, ImplicitLocOpBuilder &b) {
    std::string name = "products_" + llvm::utohexstr(llvm::hash_combine_range(steps.begin(), steps.end()));
    auto type = LLVM::LLVMArrayType::get(b.getI32Type(), steps.size());
    Attribute value = b.getI32TensorAttr(steps);
    auto known = module.lookupSymbol<LLVM::GlobalOp>(name);
    if (!known || known.getValueAttr() != value) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(module.getBody());
      if (known)
        name += "_" + std::to_string(llvm::range_size(module.getOps<LLVM::GlobalOp>()));
      known = LLVM::GlobalOp::create(b, type, /*isConstant=*/true, LLVM::Linkage::Internal, name, value);
    }
    return LLVM::AddressOfOp::create(b, known);
  }

  NVVM::MMATypes kind;
  SmallVector<NVVM::MmaOp> products;
  SmallVector<Value> given;   ///< To the registers, in their order.
  SmallVector<int32_t> steps; ///< See tower_device_multiply.
  std::map<std::vector<const void *>, int64_t> places;
  llvm::DenseMap<Operation *, int64_t> sumsOf; ///< The first register of each product's sums.
};

} // namespace

LogicalResult replaceProducts(func::FuncOp thread) {
  SmallVector<NVVM::MmaOp> products;
  WalkResult known = thread.walk([&](NVVM::MmaOp op) {
    SmallVector<int64_t> shape{op.getShape().getM(), op.getShape().getN(), op.getShape().getK()};
    NVVM::MMATypes type = op.getMultiplicandAPtxType().value_or(NVVM::MMATypes::f16);
    bool supported = (type == NVVM::MMATypes::tf32 && shape == ArrayRef<int64_t>{16, 8, 8}) ||
                     (type == NVVM::MMATypes::bf16 && shape == ArrayRef<int64_t>{16, 8, 16});
    if (!supported) {
      op.emitOpError("has no host form: only 16x8x8 of tf32 and 16x8x16 of bf16 do");
      return WalkResult::interrupt();
    }
    products.push_back(op);
    return WalkResult::advance();
  });
  std::optional<Run> run;
  for (NVVM::MmaOp op : known.wasInterrupted() ? SmallVector<NVVM::MmaOp>() : products) {
    if (run && run->takes(op)) {
      run->join(op);
      continue;
    }
    if (run)
      run->replace();
    run.emplace(op);
  }
  if (run)
    run->replace();
  return failure(known.wasInterrupted());
}

} // namespace tower::gpu_test
