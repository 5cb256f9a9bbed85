# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The losses of one step, and their weighted sum (the paper's eq. 5)."""
import numpy as np

import sampling
import tape
from model import Towers, View
from mutual_information import feature_order


class Step:
    """One training step: what is drawn, every loss, every gradient.

    values: parameters and constants by name. Afterwards `losses` holds the
    losses' values by name, `total` their weighted sum, `record` what was
    drawn, `towers.touched` the table rows that were looked up.
    """

    def __init__(self, spec, dataset, values, step, seed):
        self.spec, self.dataset = spec, dataset
        self.step, self.seed = step, seed
        self.towers = Towers(spec, dataset, values)
        self.record = self.towers.record
        train = dataset.pairs['train']
        places = sampling.batch_pairs(step, spec.batch, len(train.query), seed)
        self.query, self.item = train.query[places], train.item[places]
        self.weight = train.weight[places]
        self.record.update({'rows/pairs': places, 'rows/query': self.query,
                            'rows/item': self.item})
        nodes = [getattr(self, loss.kind)(loss.name, **loss.options)
                 for loss in spec.losses]
        self.losses = {loss.name: float(node.value)
                       for loss, node in zip(spec.losses, nodes)}
        self._total = tape.weighted_sum(nodes,
                                        [loss.weight for loss in spec.losses])
        self.total = float(self._total.value)

    def gradients(self):
        """The gradient of the total by every parameter's name."""
        tape.backward(self._total)
        return {name: np.zeros_like(node.value) if node.gradient is None
                else node.gradient for name, node in self.towers.nodes.items()}

    def in_batch_softmax(self, name, query, item, temperature, logq,
                         remove_hits, remove_same_query, weighted,
                         augmentation):
        """Eq. 6: of the batch's items, which one is the query's?

        s_iu = <q_i, x_u> / tau - log p(item_u), for every pair i and u.
        """
        mask = self._mask(f'{name}/mask', item, augmentation)
        self._take_down(f'mask/{name}/item', mask)
        view = self._view(f'{name}/item', mask, augmentation)
        scores = tape.products(self.towers.encode(query, self.query),
                               self.towers.encode(item, self.item, view))
        log_p = np.zeros(len(self.item))
        if logq:
            log_p = self.dataset.log_probability()[self.item]
        scores = tape.affine(scores, 1 / temperature, -log_p)
        removed = np.zeros(scores.value.shape, bool)
        if remove_hits:
            removed |= equal(self.item)
        if remove_same_query:
            removed |= equal(self.query)
        kept = ~removed | np.eye(len(removed), dtype=bool)
        weights = self.weight if weighted else np.ones(len(self.item))
        return tape.cross_entropy(scores, kept, weights)

    def contrastive(self, name, tower, temperature, views, uniform, batch,
                    same_view_negatives, remove_hits, augmentation):
        """Eq. 3: of all second views, which one is of the same item?"""
        rows = self._items(name, tower, uniform, batch)
        masks = self._two_masks(name, tower, views, augmentation)
        z = []
        for number, mask in zip('12', masks):
            self._take_down(f'mask/{name}/{number}', mask)
            view = self._view(f'{name}/{number}', mask, augmentation)
            z.append(self.towers.encode(tower, rows, view))
        scores = tape.products(z[0], z[1])
        itself = np.eye(len(rows), dtype=bool)
        removed = equal(rows) if remove_hits else itself
        kept = ~removed | itself
        if same_view_negatives:     # SimCLR's: the other items' first views
            scores = tape.side_by_side([scores, tape.products(z[0], z[0])])
            kept = np.concatenate([kept, ~removed], 1)
        scores = tape.affine(scores, 1 / temperature)
        return tape.cross_entropy(scores, kept, np.ones(len(rows)))

    def spread_out(self, name, tower, uniform, batch):
        rows = self._items(name, tower, uniform, batch)
        z = self.towers.encode(tower, rows)
        return tape.mean_square_off_diagonal(tape.products(z, z))

    def _items(self, name, tower, uniform, batch):
        """Uniform from the catalogue, or the items of the batch's pairs."""
        if not uniform:
            return self.item
        total = self.dataset.entities[tower.entity].rows
        rows = sampling.uniform_items(name, self.step, batch, total, self.seed)
        self.record[f'rows/{name}'] = rows
        return rows

    def _two_masks(self, name, tower, views, augmentation):
        if augmentation.mask == 'NO_MASK':
            return None, None
        if views == 'INDEPENDENT':
            return [self._mask(f'{name}/{number}/mask', tower, augmentation)
                    for number in '12']
        mask = self._mask(f'{name}/mask', tower, augmentation)
        return mask, (mask if views == 'SAME' else ~mask)

    def _mask(self, stream, tower, augmentation):
        """True where a feature of the tower is masked; None: none is."""
        if augmentation.mask == 'NO_MASK':
            return None
        count = augmentation.masked_features
        if augmentation.mask == 'RANDOM':
            return sampling.random_mask(stream, self.step,
                                        len(tower.features), count, self.seed)
        order = feature_order(self.dataset, tower.entity,
                              [f.column for f in tower.features],
                              corrected=augmentation.mi == 'CORRECTED')
        return sampling.correlated_mask(stream, self.step, order, count,
                                        self.seed)

    def _view(self, stream, mask, augmentation):
        return View(mask, augmentation.value_dropout, stream, self.step,
                    self.seed)

    def _take_down(self, name, mask):
        if mask is not None:
            self.record[name] = mask.astype(np.int32)


def equal(rows):
    """[i, j]: is it the same row?"""
    return rows[:, None] == rows[None, :]
