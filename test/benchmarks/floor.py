# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The matrix products that no program gets around: those of a step, equal rows and masked features left out."""
import numpy as np


def products(draws):
    """(rows, inner, columns) of every product of a step, forward and backward."""
    result = []
    for drawn in draws.losses:
        counts = [_rows(drawn, number) for number in range(2)]
        for application, rows in zip(drawn.applications, counts):
            result += _tower(application, rows)
        (queries, items), width = counts, drawn.applications[1].tower.layers[-1].units
        # Equal queries have equal scores, whatever their items: one row of scores and of gradients does for them.
        result += [(queries, width, items), (queries, items, width), (items, queries, width)]
    return result


def operations(products):
    return sum(2 * rows * inner * columns for rows, inner, columns in products)


def _rows(drawn, number):
    """How many rows a tower has to encode: equal ones once, unless values are dropped from each by itself."""
    application, options = drawn.applications[number], drawn.loss.options
    augmented = drawn.loss.kind == 'contrastive' or number == 1
    if augmented and options['augmentation'].value_dropout and any(f.kind == 'multi' for f in application.tower.features):
        return len(application.rows)
    return len(np.unique(application.rows))


def _tower(application, rows):
    shown = [f for f, value in zip(application.tower.features, application.features) if value is not None]
    inner = sum(f.width for f in shown)
    differentiated = sum(f.width for f in shown if f.kind != 'dense')   # Numbers have no gradient.
    for layer in application.tower.layers:
        yield rows, inner, layer.units
        yield inner, rows, layer.units
        yield rows, layer.units, differentiated
        inner = differentiated = layer.units
