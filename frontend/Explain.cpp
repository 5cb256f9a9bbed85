// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "frontend/Explain.h"
#include "mlir/IR/Remarks.h"
#include "passes/Table.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/Format.h"

using namespace mlir;
using namespace tower;

namespace {

class Collector : public remark::detail::MLIRRemarkStreamerBase {
public:
  explicit Collector(std::vector<Decision> &decisions) : decisions(decisions) {}

  void streamOptimizationRemark(const remark::detail::Remark &remark) override {
    Decision decision{};
    decision.pass = remark.getCategoryName().str();
    decision.op = remark.getRemarkName().str();
    if (auto place = remark.getLocation()->findInstanceOf<FileLineColLoc>())
      decision.place = std::to_string(place.getLine()) + ":" + std::to_string(place.getColumn());
    decision.applied = remark.getRemarkType() == llvm::remarks::Type::Passed;
    for (const auto &argument : remark.getArgs()) {
      if (argument.key == kOperationsBefore)
        decision.operationsBefore = argument.val;
      else if (argument.key == kOperationsAfter)
        decision.operationsAfter = argument.val;
      else if (argument.key == kBytesBefore)
        decision.bytesBefore = argument.val;
      else if (argument.key == kBytesAfter)
        decision.bytesAfter = argument.val;
      else if (argument.key == "Remark" || argument.key == "Reason")
        decision.what += argument.val;
      else
        decision.what += (decision.what.empty() ? "" : ", ") + argument.key + " " + argument.val;
    }
    decisions.push_back(std::move(decision));
  }

private:
  std::vector<Decision> &decisions;
};

/// "12.3 M" of "12345678"; nothing where a pass does not say.
std::string shortNumber(const std::string &digits) {
  return digits.empty() ? "" : tower::shortNumber(std::stod(digits));
}

std::string change(const std::string &before, const std::string &after) {
  if (before.empty() || before == after)
    return before.empty() ? "" : "same";
  return shortNumber(before) + " -> " + shortNumber(after);
}

/// The sum over a pass's decisions of the work before, or after.
Work sumOf(llvm::ArrayRef<Decision> decisions, StringRef pass, std::string Decision::*operations,
           std::string Decision::*bytes) {
  auto number = [](const std::string &digits) -> int64_t { return digits.empty() ? 0 : std::stoll(digits); };
  Work sum;
  for (const Decision &d : decisions)
    if (d.pass == pass) {
      sum.operations += number(d.*operations);
      sum.bytes += number(d.*bytes);
    }
  return sum;
}

/// "5.50 G operations, 224 M bytes", or what changed of both.
std::string workText(Work before, Work after) {
  auto text = [](int64_t from, int64_t to) {
    std::string old = tower::shortNumber(static_cast<double>(from));
    return from == to ? old : old + " -> " + tower::shortNumber(static_cast<double>(to));
  };
  return text(before.operations, after.operations) + " operations of products, " + text(before.bytes, after.bytes) +
         " bytes of tensors read and written";
}

/// "32.4 ms (products)": what bounds this work from below, and how far.
std::string boundText(Work work, Rates rates) {
  double products = static_cast<double>(work.operations) / rates.operations;
  double memory = static_cast<double>(work.bytes) / rates.bytes;
  if (products == 0 && memory == 0)
    return "0";
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.3g ms", 1e3 * std::max(products, memory))
                                 << (products >= memory ? " (products)" : " (memory)");
  return text;
}

} // namespace

Explanation::Explanation(MLIRContext &context) {
  // `all` alone enables none of them.
  remark::RemarkCategories categories{".*", ".*", ".*", ".*", ".*"};
  [[maybe_unused]] LogicalResult enabled = remark::enableOptimizationRemarks(
      context, std::make_unique<Collector>(all), std::make_unique<remark::RemarkEmittingPolicyAll>(), categories);
  assert(succeeded(enabled) && "a context has one collector of remarks");
}

void Explanation::print(llvm::raw_ostream &os) const {
  llvm::MapVector<StringRef, std::map<TableRow, int>> tables; // rows of a pass, with their number
  llvm::MapVector<StringRef, std::vector<TableRow>> order;
  for (const Decision &d : all) {
    TableRow row{d.op,
                 d.place,
                 d.applied ? "yes" : "no",
                 d.what,
                 change(d.operationsBefore, d.operationsAfter),
                 change(d.bytesBefore, d.bytesAfter)};
    if (tables[d.pass][row]++ == 0)
      order[d.pass].push_back(row);
  }
  for (auto &[name, rows] : order) {
    StringRef pass = name;
    pass.consume_front("tower-");
    os << pass << "\n";
    for (TableRow &row : rows)
      if (int number = tables[name].at(row); number > 1)
        row.push_back("(" + std::to_string(number) + " times)");
    rows.insert(rows.begin(), {"op", "spec", "done", "what or why", "operations", "bytes"});
    printTable(rows, os);
    Work before = sumOf(all, name, &Decision::operationsBefore, &Decision::bytesBefore);
    Work after = sumOf(all, name, &Decision::operationsAfter, &Decision::bytesAfter);
    if (rates && (before.operations || before.bytes || after.bytes))
      os << "  in all " << workText(before, after) << ": " << boundText(before, *rates) << " -> "
         << boundText(after, *rates) << "\n";
    os << "\n";
  }
  if (!totals)
    return;
  os << "step: " << workText(totals->first, totals->second) << "\n";
  if (rates)
    os << "bound: " << boundText(totals->first, *rates) << " -> " << boundText(totals->second, *rates)
       << llvm::format(" at %.4g GFLOP/s and %.4g GB/s", rates->operations / 1e9, rates->bytes / 1e9) << "\n";
  os << "\n";
}
