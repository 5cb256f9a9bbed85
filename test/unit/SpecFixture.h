// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A good spec, ways to spoil it, and expectations about what the reader says then, and where.
#ifndef TOWERC_TEST_UNIT_SPECFIXTURE_H
#define TOWERC_TEST_UNIT_SPECFIXTURE_H

#include "frontend/ModelReader.h"

#include <gtest/gtest.h>
#include <sstream>

namespace tower::test {

inline const char *const goodSpec = R"(name: "shop"
tables { name: "section" rows: 10 dim: 4 }
tables { name: "word" rows: 50 dim: 8 initializer { uniform: 0.1 seed: 3 } }
entities {
  name: "item"
  features { name: "section" single {} }
  features { name: "words" multi { table: "word" max_values: 6 } }
  features { name: "size" dense {} }
}
towers {
  name: "query"
  entity: "item"
  features: ["section", "words"]
  layers { units: 16 activation: RELU }
  layers { units: 8 }
}
towers {
  name: "item"
  entity: "item"
  layers { units: 8 }
}
losses {
  name: "main"
  in_batch_softmax { query: "query" item: "item" temperature: 0.2 }
}
losses {
  name: "ssl"
  weight: 0.5
  contrastive {
    tower: "item"
    augmentation { mask: RANDOM value_dropout: 0.3 }
    batch: 32
  }
}
training {
  batch: 64
  epochs: 3
  tables { adagrad { rate: 0.1 } }
  dense { adam {} }
}
)";

/// `text` with its one occurrence of `from` replaced by `to`.
inline std::string replaced(std::string text, const std::string &from, const std::string &to) {
  size_t at = text.find(from);
  if (at == std::string::npos || text.find(from, at + 1) != std::string::npos)
    ADD_FAILURE() << "not exactly once in the spec: " << from;
  else
    text.replace(at, from.size(), to);
  return text;
}

/// "LINE:COLUMN" of the first occurrence of `what` at or behind the one of `after`.
inline std::string placeOf(const std::string &text, const std::string &what, const std::string &after = "") {
  size_t at = text.find(what, after.empty() ? 0 : text.find(after));
  if (at == std::string::npos) {
    ADD_FAILURE() << "not in the spec: " << what;
    return "";
  }
  size_t lineStart = text.rfind('\n', at) == std::string::npos || at == 0 ? 0 : text.rfind('\n', at) + 1;
  return std::to_string(std::count(text.begin(), text.begin() + static_cast<long>(at), '\n') + 1) + ":" +
         std::to_string(at - lineStart + 1);
}

/// All diagnostics of reading `text`, a line each: "spec:3:5: error: ...".
inline std::string problems(const std::string &text, const SpecOptions &options = {}) {
  SpecDiagnostics diagnostics;
  std::optional<Spec> spec = readSpecText("spec", text, options, diagnostics);
  EXPECT_EQ(spec.has_value(), diagnostics.numErrors() == 0);
  std::string result;
  for (const SpecDiagnostic &diagnostic : diagnostics.sorted())
    result += diagnostic.position.str() + (diagnostic.severity == SpecDiagnostic::Error ? ": error: " : ": warning: ") +
              diagnostic.message + "\n";
  return result;
}

/// Reading `text` gives exactly one error, `message`, at the place of `at` (the first one behind `after`).
inline void expectError(const std::string &text, const std::string &at, const std::string &message,
                        const std::string &after = "", const SpecOptions &options = {}) {
  EXPECT_EQ(problems(text, options), "spec:" + placeOf(text, at, after) + ": error: " + message + "\n");
}

/// The good spec after one replacement.
inline void expectErrorOf(const std::string &from, const std::string &to, const std::string &at,
                          const std::string &message, const std::string &after = "") {
  SCOPED_TRACE(to);
  expectError(replaced(goodSpec, from, to), at, message, after);
}

inline Spec read(const std::string &text, const SpecOptions &options = {}) {
  SpecDiagnostics diagnostics;
  std::optional<Spec> spec = readSpecText("spec", text, options, diagnostics);
  if (!spec) {
    std::ostringstream all;
    diagnostics.print(all);
    ADD_FAILURE() << all.str();
    return Spec{};
  }
  return *spec;
}

} // namespace tower::test

#endif // TOWERC_TEST_UNIT_SPECFIXTURE_H
