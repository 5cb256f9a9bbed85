// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// For tests: a function from IR's text, evaluated by the oracle.
#ifndef TEST_ORACLE_PARSEDFUNCTION_H
#define TEST_ORACLE_PARSEDFUNCTION_H

#include "mlir/Parser/Parser.h"
#include "test/oracle/Environment.h"
#include "test/oracle/Oracle.h"

namespace tower::oracle {

/// The first function of a module. Diagnostics are collected in `message`.
class ParsedFunction {
public:
  explicit ParsedFunction(llvm::StringRef text)
      : handler(&context, [this](mlir::Diagnostic &diagnostic) {
          message += diagnostic.str() + "\n";
          return mlir::success();
        }) {
    context.loadDialect<TowerDialect, mlir::func::FuncDialect>();
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  }

  explicit operator bool() const { return static_cast<bool>(module); }
  mlir::func::FuncOp function() { return *module->getOps<mlir::func::FuncOp>().begin(); }

  /// Evaluates it with arguments in order, by number.
  mlir::FailureOr<Results> operator()(std::vector<Tensor> arguments, Inputs inputs = {}, Options options = {}) {
    for (size_t i = 0; i < arguments.size(); ++i)
      inputs[std::to_string(i)] = arguments[i];
    return evaluate(function(), inputs, options);
  }

  std::string message;

private:
  mlir::MLIRContext context;
  mlir::ScopedDiagnosticHandler handler;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

} // namespace tower::oracle

#endif
