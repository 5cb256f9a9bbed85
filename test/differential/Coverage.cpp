// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/differential/Coverage.h"
#include "dialect/Tower.h"
#include "mlir/IR/BuiltinOps.h"
#include "passes/Pipelines.h"
#include "test/differential/Compiled.h"
#include "test/differential/Expected.h"

#include <iomanip>
#include <ostream>

using namespace mlir;
using namespace tower;
using namespace tower::differential;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

static std::string name(const FieldDescriptor *field) { return field->containing_type()->name() + "." + field->name(); }

static bool isDefault(const std::string &value) { return StringRef(value).ends_with("_DEFAULT"); }

void Coverage::expectAll() {
  const auto *file = spec::Model::descriptor()->file();
  for (int m = 0; m < file->message_type_count(); ++m) {
    const Descriptor *message = file->message_type(m);
    for (int f = 0; f < message->field_count(); ++f) {
      const FieldDescriptor *field = message->field(f);
      if (field->real_containing_oneof())
        expect("alternative", name(field));
      if (field->enum_type())
        for (int v = 0; v < field->enum_type()->value_count(); ++v)
          if (!isDefault(field->enum_type()->value(v)->name()))
            expect("value", name(field) + " = " + field->enum_type()->value(v)->name());
    }
  }
  MLIRContext context;
  context.loadDialect<TowerDialect>();
  for (RegisteredOperationName op : context.getRegisteredOperationsByDialect("tower")) {
    expect("op", op.getStringRef().str());
    if (op.hasInterface<Differentiable>())
      expect("adjoint", op.getStringRef().str());
  }
  for (const std::string &pass : pipelinePasses())
    expect("pass", pass);
  for (const char *what : expectedCases)
    expect("case", what);
  for (StringRef optimization : optimizations())
    for (bool applied : {true, false})
      expect(applied ? "applied" : "declined", optimization.str());
}

void Coverage::countSpec(const google::protobuf::Message &message) {
  const google::protobuf::Reflection *reflection = message.GetReflection();
  std::vector<const FieldDescriptor *> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor *field : fields) {
    if (field->real_containing_oneof())
      seen("alternative", name(field));
    if (field->enum_type())
      seen("value", name(field) + " = " + reflection->GetEnum(message, field)->name());
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE)
      continue;
    if (!field->is_repeated())
      countSpec(reflection->GetMessage(message, field));
    else
      for (int i = 0; i < reflection->FieldSize(message, field); ++i)
        countSpec(reflection->GetRepeatedMessage(message, field, i));
  }
}

void Coverage::countOps(ModuleOp module) {
  module.walk([&](Operation *op) {
    if (op->getName().getDialectNamespace() == "tower")
      seen("op", op->getName().getStringRef().str());
  });
}

void Coverage::merge(const Coverage &model) {
  for (const auto &[key, count] : model.counts)
    counts[key] += count > 0;
}

int Coverage::print(std::ostream &os, int minimum) const {
  int below = 0;
  for (const auto &[key, count] : counts) {
    // Twice as often: a decision has more ways to be wrong.
    bool decision = key.first == "applied" || key.first == "declined";
    bool low = count < (decision ? 2 * minimum : minimum);
    below += low;
    os << std::left << std::setw(12) << key.first << std::setw(56) << key.second << std::right << std::setw(6) << count
       << (low ? "  too few" : "") << "\n";
  }
  return below;
}
