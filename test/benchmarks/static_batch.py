# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A step's draws as arrays whose shapes a compiler may know.

Two things that a step draws change their size: how many values lists have, and which features a view shows. Values of
a table lie in one array that is filled up with a row beyond the table; masks are operands. Complementary views show
each feature once, so they share one lookup of it.
"""
import numpy as np

from supported import pooled_tables, power


class Plan:
    """Who looks up what; the same in every step."""

    def __init__(self, spec, draws):
        self.spec, self.pooled = spec, pooled_tables(spec)
        self.capacities = {}    # Of pooled tables: they grow, and the step is compiled anew.
        self.applications = {}  # Key -> its tower and number of rows.
        self.towers = {}        # Tower -> keys.
        self.masked = set()     # Keys whose features may be masked.
        self.source = {}        # Key -> whose lookups it sees.
        self.tables = {}        # Table -> (key, feature) of its lookups, one after the other.
        for drawn in draws.losses:
            options, name = drawn.loss.options, drawn.loss.name
            masks = options['augmentation'].mask != 'NO_MASK'
            views = drawn.loss.kind == 'contrastive'
            for number, application in enumerate(drawn.applications):
                key, tower = f'{name}/{number}', application.tower
                self.applications[key] = tower, len(application.rows)
                self.towers.setdefault(tower.name, []).append(key)
                if masks and (views or number == 1):
                    self.masked.add(key)
                shared = views and masks and options['views'] == 'COMPLEMENTARY'
                self.source[key] = f'{name}/0' if shared else key
                if self.source[key] == key:
                    for f in tower.features:
                        if f.table:
                            self.tables.setdefault(f.table, []).append((key, f))

    def parts(self, table):
        """Place (key and feature) and number of rows of each lookup of a table."""
        return [(f'{key}/{f.name}', self.applications[key][1]) for key, f in self.tables[table]]

    def batch(self, draws):
        """The step's operands."""
        result = {'shown': {}, 'dense': {}, 'tables': {}, 'rows': {}, 'log_p': {}}
        values = {}
        for drawn in draws.losses:
            name = drawn.loss.name
            result['rows'][name] = drawn.rows.astype(np.int32)
            if drawn.log_p is not None:
                result['log_p'][name] = drawn.log_p.astype(np.float32)
            for number, application in enumerate(drawn.applications):
                key = f'{name}/{number}'
                if key in self.masked:
                    result['shown'][key] = np.array([value is not None for value in application.features])
                for f, value in zip(application.tower.features, application.features):
                    place = f'{self.source[key]}/{f.name}'
                    if value is not None or place not in values:
                        values[place] = value
        for key, (tower, count) in self.applications.items():
            for f in tower.features:
                if f.kind == 'dense' and self.source[key] == key:
                    place = f'{key}/{f.name}'
                    value = values[place]
                    result['dense'][place] = np.zeros((count, f.width), np.float32) if value is None else value
        for table, lookups in self.tables.items():
            result['tables'][table] = self._lookup(table, lookups, values)
        return result

    def _lookup(self, table, lookups, values):
        """Ids and, of a pooled table, the place and the weight of each in its sum."""
        beyond = self.spec.tables[table].rows
        ids, counts, weights = [], [], []
        for key, f in lookups:
            rows = self.applications[key][1]
            none = 0 if table in self.pooled else 1     # A row for each, even if nobody sees it.
            value = values[f'{key}/{f.name}'] or (np.full(none * rows, beyond), np.full(rows, none))
            ids.append(value[0])
            counts.append(value[1])
            weights.append(np.repeat(1 / np.maximum(value[1], 1) ** power(f.pooling), value[1]))
        ids, counts = np.concatenate(ids).astype(np.int32), np.concatenate(counts)
        if table not in self.pooled:
            return {'ids': ids}
        places = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        weights = np.concatenate(weights).astype(np.float32)
        self.capacities[table] = max(self.capacities.get(table, 0), len(ids))
        return {'ids': ids, 'places': places, 'weights': weights}

    def fill(self, batch):
        """Makes a batch as large as the largest so far, and some more."""
        for table, lookup in batch['tables'].items():
            if table in self.pooled:
                size = -(-self.capacities[table] * 17 // 16 // 256) * 256
                rest = 0, size - len(lookup['ids'])
                nowhere = sum(size for _, size in self.parts(table))
                for name, value in ('ids', self.spec.tables[table].rows), ('places', nowhere), ('weights', 0):
                    lookup[name] = np.pad(lookup[name], rest, constant_values=value)
