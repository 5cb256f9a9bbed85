// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What `towerc data import` tells about the data.
#include "frontend/DatasetFolder.h"

#include <algorithm>
#include <iomanip>
#include <numeric>
#include <ostream>

using namespace tower;

static double percent(int64_t part, int64_t whole) { return whole == 0 ? 0 : 100.0 * double(part) / double(whole); }

static void printEntity(const ImportedEntity &entity, std::ostream &out) {
  int64_t rows = entity.keys.size();
  out << entity.name << ": " << rows << " rows\n";
  size_t widest = 0;
  for (const ImportedColumn &column : entity.columns)
    widest = std::max(widest, column.info.name().size());
  for (const ImportedColumn &column : entity.columns) {
    const data::ColumnInfo &info = column.info;
    out << "  " << std::left << std::setw(static_cast<int>(widest)) << info.name() << std::right;
    if (info.kind() == data::DENSE) {
      out << "  dense   " << info.width() << " wide\n";
      continue;
    }
    out << (info.kind() == data::SINGLE ? "  single  " : "  multi   ") << "vocabulary " << info.vocabulary() << ", "
        << percent(column.missing, rows) << " % missing";
    if (info.kind() == data::MULTI)
      out << ", " << double(info.total()) / double(rows) << " values a row, at most " << info.longest();
    out << "\n";
  }
}

static void printHead(const Imported &imported, std::ostream &out) {
  auto entity = std::find_if(imported.entities.begin(), imported.entities.end(),
                             [&](const ImportedEntity &each) { return each.name == imported.itemEntity; });
  std::vector<int64_t> counts(static_cast<size_t>(entity->keys.size()), 0);
  for (int32_t item : imported.pairs[0].item)
    ++counts[item];
  size_t head = counts.size() / 100;
  if (head == 0)
    return; // fewer than 100 items have no top 1 %
  std::partial_sort(counts.begin(), counts.begin() + static_cast<std::ptrdiff_t>(head), counts.end(), std::greater<>());
  int64_t drawn = std::accumulate(counts.begin(), counts.begin() + static_cast<std::ptrdiff_t>(head), int64_t(0));
  out << "head: the 1 % of " << imported.itemEntity << " rows with most training pairs (" << head << ") draw "
      << percent(drawn, static_cast<int64_t>(imported.pairs[0].item.size())) << " % of them\n";
}

void tower::printSummary(const Imported &imported, std::ostream &out) {
  auto flags = out.flags();
  auto precision = out.precision();
  out << std::fixed << std::setprecision(1);
  for (const ImportedEntity &entity : imported.entities)
    printEntity(entity, out);
  for (const auto &[name, vocabulary] : imported.vocabularies) {
    out << "vocabulary " << name << ": " << vocabulary.rows() - 1 << " values";
    if (vocabulary.dropped())
      out << " (" << vocabulary.dropped() << " rarer ones left out)";
    out << "\n";
  }
  size_t total = 0;
  for (const ImportedPairs &pairs : imported.pairs)
    total += pairs.query.size();
  out << "pairs: " << total;
  for (size_t i = 0; i < splitNames.size(); ++i)
    out << (i ? ", " : ": ") << splitNames[i] << " " << imported.pairs[i].query.size();
  out << "\n";
  printHead(imported, out);
  out.flags(flags);
  out.precision(precision);
}
