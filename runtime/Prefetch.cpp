// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// madvise on mapped columns.
#include "runtime/Prefetch.h"

#include "runtime/Philox.h"
#include "runtime/tower_abi.h"

#include <sys/mman.h>
#include <unistd.h>

namespace tower::rt {

namespace {
/// Failure is of no interest: memory that is not a mapped file needs no reading.
template <class T> void willNeed(std::span<const T> elements) {
  if (elements.empty())
    return;
  static const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  auto first = reinterpret_cast<uintptr_t>(elements.data()), begin = first / page * page;
  (void)madvise(reinterpret_cast<void *>(begin), first - begin + elements.size_bytes(), MADV_WILLNEED);
}

std::vector<const Column *> columnsOf(const Manifest &manifest, const Dataset &data, const std::string &entity) {
  std::vector<const Column *> columns;
  for (const ColumnNeed &need : manifest.columns)
    if (need.entity == entity)
      columns.push_back(data.entity(entity).find(need.column));
  return columns;
}
} // namespace

Prefetch::Prefetch(const Manifest &manifest, const Dataset &data, const Pairs &pairs, size_t budget)
    : pairs(pairs), queryColumns(columnsOf(manifest, data, manifest.query.entity)),
      itemColumns(columnsOf(manifest, data, manifest.item.entity)),
      positions(static_cast<size_t>(manifest.training.batch)) {
  size_t bytes = pairs.query.size_bytes() + pairs.item.size_bytes() + pairs.weight.size_bytes();
  std::vector<const Column *> all = queryColumns;
  if (manifest.query.entity != manifest.item.entity)
    all.insert(all.end(), itemColumns.begin(), itemColumns.end());
  for (const Column *column : all)
    bytes += column->ids.size_bytes() + column->offsets.size_bytes() + column->values.size_bytes() +
             column->numbers.size_bytes();
  everything = bytes <= budget;
  if (!everything)
    return;
  willNeed(pairs.query);
  willNeed(pairs.item);
  willNeed(pairs.weight);
  for (const Column *column : all) {
    willNeed(column->ids);
    willNeed(column->offsets);
    willNeed(column->values);
    willNeed(column->numbers);
  }
}

void Prefetch::announce(int64_t step, uint64_t seed) {
  if (everything)
    return;
  tower_rt_sample_pairs(seed, fnv1a32("pairs"), static_cast<uint64_t>(step), static_cast<int64_t>(positions.size()),
                        pairs.size(), positions.data());
  for (int32_t position : positions) {
    announceRow(queryColumns, pairs.query[position]);
    announceRow(itemColumns, pairs.item[position]);
  }
}

void Prefetch::announceRow(const std::vector<const Column *> &columns, int64_t row) const {
  for (const Column *column : columns) {
    switch (column->kind) {
    case ColumnKind::Single:
      willNeed(column->ids.subspan(row, 1));
      break;
    case ColumnKind::Multi:
      willNeed(column->row(row));
      break;
    case ColumnKind::Dense:
      willNeed(column->numbers.subspan(row * column->width, column->width));
      break;
    }
  }
}

size_t prefetchBudget() {
  return static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) / 2 * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

} // namespace tower::rt
