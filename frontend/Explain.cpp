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
  explicit Collector(std::function<void(Decision)> add) : add(std::move(add)) {}

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
    add(std::move(decision));
  }

private:
  std::function<void(Decision)> add;
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

/// The rows of each pass's table, in the order in which passes ran. Decisions that differ in nothing are one row with
/// their number.
using Tables = llvm::MapVector<StringRef, std::vector<TableRow>>;

Tables tablesOf(ArrayRef<Decision> decisions) {
  llvm::MapVector<StringRef, std::map<TableRow, int>> numbers;
  Tables tables;
  for (const Decision &d : decisions) {
    TableRow row{d.op,
                 d.place,
                 d.applied ? "yes" : "no",
                 d.what,
                 change(d.operationsBefore, d.operationsAfter),
                 change(d.bytesBefore, d.bytesAfter)};
    if (numbers[d.pass][row]++ == 0)
      tables[d.pass].push_back(row);
  }
  for (auto &[name, rows] : tables)
    for (TableRow &row : rows)
      if (int number = numbers[name].at(row); number > 1)
        row.push_back("(" + std::to_string(number) + " times)");
  return tables;
}

} // namespace

Explanation::Explanation(MLIRContext &context) {
  startMachine("");
  // `all` alone enables none of them.
  remark::RemarkCategories categories{".*", ".*", ".*", ".*", ".*"};
  auto add = [this](Decision decision) { machines.back().decisions.push_back(std::move(decision)); };
  [[maybe_unused]] LogicalResult enabled = remark::enableOptimizationRemarks(
      context, std::make_unique<Collector>(add), std::make_unique<remark::RemarkEmittingPolicyAll>(), categories);
  assert(succeeded(enabled) && "a context has one collector of remarks");
}

void Explanation::print(llvm::raw_ostream &os) const {
  for (const Machine &machine : machines)
    print(machine, os);
}

void Explanation::print(const Machine &machine, llvm::raw_ostream &os) const {
  ArrayRef<Decision> all = machine.decisions;
  bool isFirst = &machine == &machines.front();
  Tables tables = tablesOf(all), ofFirst = isFirst ? Tables() : tablesOf(machines.front().decisions);
  if (!machine.title.empty())
    os << machine.title << "\n\n";
  for (auto &[name, rows] : tables) {
    if (!isFirst && ofFirst.lookup(name) == rows)
      continue;
    StringRef pass = name;
    pass.consume_front("tower-");
    os << pass << "\n";
    std::vector<TableRow> printed{{"op", "spec", "done", "what or why", "operations", "bytes"}};
    llvm::append_range(printed, rows);
    printTable(printed, os);
    Work before = sumOf(all, name, &Decision::operationsBefore, &Decision::bytesBefore);
    Work after = sumOf(all, name, &Decision::operationsAfter, &Decision::bytesAfter);
    if (rates && isFirst && (before.operations || before.bytes || after.bytes))
      os << "  in all " << workText(before, after) << ": " << boundText(before, *rates) << " -> "
         << boundText(after, *rates) << "\n";
    os << "\n";
  }
  if (!machine.totals)
    return;
  auto [before, after] = *machine.totals;
  os << "step: " << workText(before, after) << "\n";
  if (rates && isFirst)
    os << "bound: " << boundText(before, *rates) << " -> " << boundText(after, *rates)
       << llvm::format(" at %.4g GFLOP/s and %.4g GB/s", rates->operations / 1e9, rates->bytes / 1e9) << "\n";
  os << "\n";
}
