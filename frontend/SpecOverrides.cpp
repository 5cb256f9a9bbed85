// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// --set PATH=VALUE: any field of the spec, found through protobuf's reflection.
#include "frontend/SpecSteps.h"
#include "frontend/Suggest.h"

#include <algorithm>
#include <google/protobuf/descriptor.h>

namespace tower {

using namespace google::protobuf;

namespace {

class Override {
public:
  Override(Spec &spec, const std::string &assignment, SpecDiagnostics &diagnostics)
      : spec(spec), assignment(assignment), diagnostics(diagnostics), here{"--set " + assignment, 0, 0, 1} {}

  void run();

private:
  struct Step {
    std::string name;
    std::string key; ///< Between brackets.
    bool keyed = false;
  };
  bool split();
  bool fail(const std::string &message) {
    diagnostics.error(here, message);
    return false;
  }
  const FieldDescriptor *find(const Message &message, const Step &step);
  bool pick(const Message &message, const FieldDescriptor &field, const Step &step, int &index);
  bool takeOneof(Message &message, const FieldDescriptor &field);
  bool assign(Message &message, const FieldDescriptor &field, int index);

  Spec &spec;
  const std::string &assignment;
  SpecDiagnostics &diagnostics;
  SpecPosition here;
  std::vector<Step> steps;
  std::string value;
  std::string path; ///< So far, with indices for names.
};

} // namespace

bool Override::split() {
  size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0)
    return fail("PATH=VALUE is expected, for instance losses[1].weight=0.3");
  value = assignment.substr(equals + 1);
  std::string rest = assignment.substr(0, equals);
  while (true) {
    Step step;
    size_t end = std::min(rest.find_first_of(".["), rest.size());
    step.name = rest.substr(0, end);
    rest.erase(0, end);
    if (!rest.empty() && rest[0] == '[') {
      size_t close = rest.find(']');
      if (close == std::string::npos)
        return fail("'[' is not closed by ']'");
      step.keyed = true;
      step.key = rest.substr(1, close - 1);
      rest.erase(0, close + 1);
    }
    steps.push_back(step);
    if (rest.empty())
      return true;
    if (rest[0] != '.')
      return fail("found '" + rest + "' after ']'; '.' or '=' is expected");
    rest.erase(0, 1);
  }
}

const FieldDescriptor *Override::find(const Message &message, const Step &step) {
  const Descriptor &type = *message.GetDescriptor();
  const FieldDescriptor *field = type.FindFieldByName(step.name);
  if (!field)
    fail(type.name() + " has no field \"" + step.name + "\"" + didYouMean(step.name, fieldNames(type)));
  return field;
}

/// The element's own name, "" where elements have none.
static std::string elementName(const Spec &spec, const Message &element, int index) {
  const FieldDescriptor *name = element.GetDescriptor()->FindFieldByName("name");
  if (!name)
    return "";
  if (element.GetDescriptor() == spec::Loss::descriptor())
    return lossName(spec.model, index);
  return element.GetReflection()->GetString(element, name);
}

bool Override::pick(const Message &message, const FieldDescriptor &field, const Step &step, int &index) {
  const Reflection &reflection = *message.GetReflection();
  int size = reflection.FieldSize(message, &field);
  std::vector<std::string> choices;
  bool digits = !step.key.empty() && step.key.find_first_not_of("0123456789") == std::string::npos;
  for (int i = 0; i < size; ++i) {
    std::string name;
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
      name = elementName(spec, reflection.GetRepeatedMessage(message, &field, i), i);
    if (step.keyed && (step.key == std::to_string(i) || (!digits && !name.empty() && step.key == name))) {
      index = i;
      return true;
    }
    choices.push_back(element(step.name, i) + (name.empty() ? "" : " (" + name + ")"));
  }
  return fail((step.keyed ? "there is no " + step.name + "[" + step.key + "]" : step.name + " is a list") +
              "; allowed: " + alternatives(choices));
}

/// Naming a member of a oneof replaces another one (an optimizer by another), except where the rest of the spec
/// depends on which it is.
bool Override::takeOneof(Message &message, const FieldDescriptor &field) {
  const OneofDescriptor *oneof = field.real_containing_oneof();
  const Reflection &reflection = *message.GetReflection();
  if (!oneof || !reflection.HasOneof(message, oneof))
    return true;
  const FieldDescriptor *present = reflection.GetOneofFieldDescriptor(message, oneof);
  if (present == &field)
    return true;
  if (message.GetDescriptor() == spec::Loss::descriptor() || message.GetDescriptor() == spec::Feature::descriptor())
    return fail((path.empty() ? "the spec" : path) + " is " + present->name() + ", not " + field.name());
  spec.places.erase((path.empty() ? "" : path + ".") + present->name());
  return true;
}

bool Override::assign(Message &message, const FieldDescriptor &field, int index) {
  bool text = field.cpp_type() == FieldDescriptor::CPPTYPE_STRING;
  bool quoted = !value.empty() && (value[0] == '"' || value[0] == '\'' || (field.is_repeated() && value[0] == '['));
  const Reflection &reflection = *message.GetReflection();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !value.starts_with("{") && !value.starts_with("["))
    return fail(path + " is a " + field.message_type()->name() +
                "; set one of its fields: " + alternatives(fieldNames(*field.message_type())) + ", or all: {...}");
  std::unique_ptr<Message> parsed(message.New());
  if (text && !quoted) {
    field.is_repeated() ? parsed->GetReflection()->AddString(parsed.get(), &field, value)
                        : parsed->GetReflection()->SetString(parsed.get(), &field, value);
  } else {
    SpecDiagnostics problems;
    SpecPlaces places(here.file);
    bool good = parseSpecText(here.file, field.name() + ": " + value, *parsed, places, problems);
    for (const SpecDiagnostic &problem : problems.sorted())
      fail(problem.message);
    if (!good || problems.numErrors())
      return false;
    std::vector<const FieldDescriptor *> present;
    parsed->GetReflection()->ListFields(*parsed, &present);
    if (std::any_of(present.begin(), present.end(), [&](const FieldDescriptor *other) { return other != &field; }))
      return fail("found '" + value + "'; one value is expected");
  }
  spec.places.erase(path);
  if (index < 0) {
    message.GetReflection()->SwapFields(&message, parsed.get(), {&field});
  } else if (parsed->GetReflection()->FieldSize(*parsed, &field) != 1) {
    return fail(path + " is one element; one value is expected");
  } else if (text) {
    reflection.SetRepeatedString(&message, &field, index,
                                 parsed->GetReflection()->GetRepeatedString(*parsed, &field, 0));
  } else {
    reflection.MutableRepeatedMessage(&message, &field, index)
        ->CopyFrom(parsed->GetReflection()->GetRepeatedMessage(*parsed, &field, 0));
  }
  spec.places.set(path, here, here);
  return true;
}

void Override::run() {
  if (!split())
    return;
  Message *message = &spec.model;
  for (size_t i = 0; i < steps.size(); ++i) {
    const Step &step = steps[i];
    bool last = i + 1 == steps.size();
    const FieldDescriptor *field = find(*message, step);
    if (!field || !takeOneof(*message, *field))
      return;
    path += (path.empty() ? "" : ".") + step.name;
    int index = -1;
    bool whole = last && !step.keyed && value.starts_with("["); // a list replaced as a whole
    if (field->is_repeated() && !whole) {
      if (!pick(*message, *field, step, index))
        return;
      path = element(path, index);
    } else if (step.keyed) {
      fail(step.name + " is no list");
      return;
    }
    if (last) {
      assign(*message, *field, index);
      return;
    }
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      fail(path + " has no fields; " + allowedValues(*field) + " is expected after it");
      return;
    }
    const Reflection &reflection = *message->GetReflection();
    message = index < 0 ? reflection.MutableMessage(message, field)
                        : reflection.MutableRepeatedMessage(message, field, index);
  }
}

void overrideSpec(Spec &spec, const std::string &assignment, SpecDiagnostics &diagnostics) {
  Override(spec, assignment, diagnostics).run();
}

} // namespace tower
