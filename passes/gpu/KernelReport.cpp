// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/gpu/KernelReport.h"
#include "passes/Table.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"

using namespace mlir;

namespace tower {
namespace {

std::string microseconds(double seconds) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.2f us", 1e6 * seconds);
  return text;
}

/// What bounds some work on the newest GPU.
std::string boundOf(const GpuWork &work) {
  if (secondsOf(work, kGpus[0]) < kLaunchSeconds)
    return "launch";
  return isBoundByOperations(work, kGpus[0]) ? "operations" : "memory";
}

std::string operationsText(const GpuWork &work) {
  std::string text;
  for (auto [number, unit] : {std::pair(work.fp32, ""), std::pair(work.tf32, " TF32"), std::pair(work.bf16, " bf16")})
    if (number > 0)
      text += (text.empty() ? "" : " + ") + shortNumber(number) + unit;
  return text.empty() ? "0" : text;
}

/// Ops of one kind in a kernel, what takes longest first.
std::vector<KernelWork::Part> byKind(const KernelWork &kernel) {
  llvm::MapVector<StringRef, KernelWork::Part> kinds;
  for (const KernelWork::Part &part : kernel.parts) {
    KernelWork::Part &kind = kinds[part.op];
    kind.op = part.op.empty() ? "(no op)" : part.op;
    kind.place += (kind.place.empty() || part.place.empty() ? "" : " ") + part.place;
    kind.work += part.work;
  }
  std::vector<KernelWork::Part> sorted;
  for (auto &[name, kind] : kinds)
    sorted.push_back(std::move(kind));
  llvm::stable_sort(
      sorted, [](const auto &a, const auto &b) { return secondsOf(a.work, kGpus[0]) > secondsOf(b.work, kGpus[0]); });
  return sorted;
}

GpuWork sumOf(const GpuWork &operations, const GpuWork &bytes) {
  GpuWork sum = operations;
  sum.read = bytes.read;
  sum.written = bytes.written;
  return sum;
}

} // namespace

void KernelReport::printKernels(raw_ostream &os) const {
  os << "kernels of a step: " << step.launches() << " launches, " << step.copies << " copies from the host\n";
  std::vector<TableRow> rows{
      {"kernel, ops", "blocks", "warps", "shared", "registers", "waits", "read", "written", "operations"}};
  for (const GpuRates &gpu : kGpus)
    rows[0].push_back(gpu.name);
  rows[0].insert(rows[0].end(), {"bound by", "spec"});
  auto add = [&](TableRow row, const GpuWork &work, const std::string &place) {
    row.insert(row.end(), {shortNumber(work.read), shortNumber(work.written), operationsText(work)});
    for (const GpuRates &gpu : kGpus)
      row.push_back(microseconds(secondsOf(work, gpu)));
    row.insert(row.end(), {boundOf(work), place});
    rows.push_back(std::move(row));
  };
  for (const KernelWork &kernel : step.kernels) {
    auto known = registers.find(kernel.kernel);
    std::string times = kernel.times > 1 ? " (" + std::to_string(kernel.times) + " times)" : "";
    add({kernel.kernel + times, std::to_string(kernel.blocks), std::to_string(kernel.warps),
         kernel.sharedBytes ? std::to_string(kernel.sharedBytes) : "-",
         known == registers.end() ? "-" : std::to_string(known->second), shortNumber(kernel.waits)},
        kernel.work, "");
    for (const KernelWork::Part &kind : byKind(kernel))
      add({"  " + kind.op, "", "", "", "", ""}, kind.work, kind.place);
  }
  printTable(rows, os);
}

void KernelReport::printEstimate(raw_ostream &os) const {
  GpuWork total = step.total(), least = sumOf(necessary, step.compulsory);
  os << "all kernels: " << shortNumber(total.bytes()) << " bytes, " << operationsText(total) << " operations; at least "
     << shortNumber(least.bytes()) << " bytes, " << operationsText(least) << " operations of products\n";
  std::vector<TableRow> rows{{"estimate", "launches", "kernels", "step", "at least", "bound by", "ratio"}};
  for (const GpuRates &gpu : kGpus) {
    double launches = kLaunchSeconds * static_cast<double>(step.launches()), kernels = 0;
    for (const KernelWork &kernel : step.kernels)
      kernels += static_cast<double>(kernel.times) * secondsOf(kernel.work, gpu);
    double bound = secondsOf(least, gpu);
    std::string ratio;
    llvm::raw_string_ostream(ratio) << llvm::format("%.2f", (launches + kernels) / bound);
    rows.push_back({gpu.name, microseconds(launches), microseconds(kernels), microseconds(launches + kernels),
                    microseconds(bound), isBoundByOperations(least, gpu) ? "operations" : "memory", ratio});
  }
  printTable(rows, os);
}

void KernelReport::print(raw_ostream &os) const {
  printKernels(os);
  printEstimate(os);
  os << "\n";
}

std::string KernelReport::json() const {
  auto whole = [](double number) { return static_cast<int64_t>(number + 0.5); };
  llvm::json::Array kernels;
  for (const KernelWork &kernel : step.kernels) {
    llvm::json::Object operations{
        {"fp32", whole(kernel.work.fp32)}, {"tf32", whole(kernel.work.tf32)}, {"bf16", whole(kernel.work.bf16)}};
    kernels.push_back(llvm::json::Object{{"name", kernel.kernel},
                                         {"launches", kernel.times},
                                         {"bytes", whole(kernel.work.bytes())},
                                         {"operations", std::move(operations)}});
  }
  std::string text;
  llvm::raw_string_ostream(text) << llvm::json::Value(std::move(kernels));
  return text;
}

std::map<std::string, int> registersIn(StringRef said) {
  std::map<std::string, int> result;
  while (true) {
    said = said.split("Compiling entry function '").second;
    if (said.empty())
      return result;
    StringRef used = said.split("Used ").second;
    if (int count = 0; !used.consumeInteger(10, count))
      result[said.split('\'').first.str()] = count;
  }
}

} // namespace tower
