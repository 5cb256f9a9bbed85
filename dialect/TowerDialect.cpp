// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Registration, and the syntax of types and attributes.

#include "dialect/Tower.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tower;

#include "dialect/TowerDialect.cpp.inc"
#include "dialect/TowerEnums.cpp.inc"
#include "dialect/TowerInterfaces.cpp.inc"

// `normal 0.05 seed 3`: the scale is left out where it means nothing, the seed where it is the run's.
static ParseResult parseInit(AsmParser &parser, InitAttr &init) {
  StringRef keyword;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseKeyword(&keyword))
    return failure();
  std::optional<InitKind> kind = symbolizeInitKind(keyword);
  if (!kind)
    return parser.emitError(loc) << "unknown initializer '" << keyword << "'";
  double scale = 0;
  uint32_t seed = 0;
  bool hasScale = *kind == InitKind::constant || *kind == InitKind::normal || *kind == InitKind::uniform;
  if (hasScale && parser.parseFloat(scale))
    return failure();
  if (succeeded(parser.parseOptionalKeyword("seed")) && parser.parseInteger(seed))
    return failure();
  init = InitAttr::get(parser.getContext(), *kind, llvm::APFloat(static_cast<float>(scale)), seed);
  return success();
}

static void printInit(AsmPrinter &printer, Operation *, InitAttr init) {
  printer << stringifyInitKind(init.getKind());
  InitKind kind = init.getKind();
  if (kind == InitKind::constant || kind == InitKind::normal || kind == InitKind::uniform) {
    printer << ' ';
    printer.printFloat(init.getScale());
  }
  if (init.getSeed() != 0)
    printer << " seed " << init.getSeed();
}

Attribute InitAttr::parse(AsmParser &parser, Type) {
  InitAttr init;
  if (parser.parseLess() || parseInit(parser, init) || parser.parseGreater())
    return {};
  return init;
}

void InitAttr::print(AsmPrinter &printer) const {
  printer << '<';
  printInit(printer, nullptr, *this);
  printer << '>';
}

Type RowGradientType::parse(AsmParser &parser) {
  SmallVector<int64_t> shape;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseDimensionList(shape, /*allowDynamic=*/false, /*withTrailingX=*/false) ||
      parser.parseGreater())
    return {};
  if (shape.size() != 2) {
    parser.emitError(loc, "expected the table's rows and dim, as in <59x16>");
    return {};
  }
  return RowGradientType::get(parser.getContext(), shape[0], shape[1]);
}

void RowGradientType::print(AsmPrinter &printer) const { printer << '<' << getRows() << 'x' << getDim() << '>'; }

#define GET_ATTRDEF_CLASSES
#include "dialect/TowerAttrs.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialect/TowerTypes.cpp.inc"
#define GET_OP_CLASSES
#include "dialect/TowerOps.cpp.inc"

void TowerDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/TowerAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialect/TowerTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/TowerOps.cpp.inc"
      >();
}
