// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/Decision.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;

namespace tower {

static remark::RemarkOpts optionsFor(Operation *op, StringRef pass) {
  return remark::RemarkOpts::name(op->getName().getStringRef()).category(pass);
}

void reportApplied(Operation *op, StringRef pass, const Twine &what, Work before, Work after) {
  remark::passed(op->getLoc(), optionsFor(op, pass))
      << remark::add("{0}", what.str()) << remark::metric(kOperationsBefore, before.operations)
      << remark::metric(kOperationsAfter, after.operations) << remark::metric(kBytesBefore, before.bytes)
      << remark::metric(kBytesAfter, after.bytes);
}

void reportDeclined(Operation *op, StringRef pass, const Twine &why) {
  remark::missed(op->getLoc(), optionsFor(op, pass)) << remark::reason("{0}", why.str());
}

} // namespace tower
