# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What peers compute of all that a spec can say."""


def check(spec):
    """Refuses the rest: nothing is compared with another model than the spec's."""
    for loss in spec.losses:
        o = loss.options
        if loss.kind == 'spread_out' or o.get('weighted') or o.get('remove_same_query') or o.get('same_view_negatives'):
            raise SystemExit(f'error: loss {loss.name}: peers have no spread-out loss, pair weights, removal of the '
                             f"same query's positives or negatives of the same view")
    if spec.clip_norm or spec.training.HasField('schedule'):
        raise SystemExit('error: peers neither clip gradients nor change their rates')
    for optimizer in spec.optimizers.values():
        if optimizer.weight_decay or optimizer.kind == 'rowwise_adagrad':
            raise SystemExit('error: peers have no weight decay and no row-wise optimizer')


def pooled_tables(spec):
    """Tables of which some feature looks up any number of rows."""
    return {f.table for features in spec.features.values() for f in features if f.kind == 'multi'}


def power(pooling):
    """A sum of n rows is divided by n to this power."""
    return {'MEAN': 1.0, 'SUM': 0.0, 'SQRTN': 0.5}[pooling]
