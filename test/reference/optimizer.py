# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From gradients to updated parameters and optimizer slots."""
import math

import numpy as np

from protos import model_pb2 as pb

SLOTS = {'sgd': [], 'adagrad': ['adagrad'],
         'rowwise_adagrad': ['rowwise_adagrad'], 'adam': ['adam/m', 'adam/v']}


def of(spec, name):
    return spec.optimizers['table' if name.startswith('table/') else 'dense']


def first_slots(spec, name, value):
    """The slots of a parameter before the first step, by name."""
    optimizer = of(spec, name)
    shape = value.shape
    if optimizer.kind == 'rowwise_adagrad':
        shape = shape[:1]
    start = optimizer.options.get('initial', 0.0)
    return {f'{name}/{slot}': np.full(shape, start)
            for slot in SLOTS[optimizer.kind]}


def rate_factor(training, step, pairs, batch):
    """The schedule's factor of all rates at a step."""
    steps = training.steps or (training.epochs or 10) * (pairs // batch)
    warmup, last = training.schedule.warmup_steps, steps - 1
    if step < warmup:
        return (step + 1) / warmup
    p = (step - warmup) / max(last - warmup, 1)
    p, f = min(max(p, 0.0), 1.0), training.schedule.final_fraction
    if training.schedule.decay == pb.LINEAR:
        return 1 - (1 - f) * p
    if training.schedule.decay == pb.COSINE:
        return f + (1 - f) * (1 + math.cos(math.pi * p)) / 2
    return 1.0


def norm(gradients):
    """Of all gradients together; a table's rows are summed before."""
    return float(np.sqrt(sum((g * g).sum() for g in gradients.values())))


def update(spec, values, gradients, touched, step, factor):
    """Parameters and slots after the step, by name.

    values: parameters and, but for those at their first value, slots.
    touched: for each table, which rows were looked up: only these change.
    factor: the schedule's, of both rates.
    """
    scale = 1.0
    if spec.clip_norm and norm(gradients) > spec.clip_norm:
        scale = spec.clip_norm / norm(gradients)
    result = {}
    for name, gradient in gradients.items():
        p, optimizer = values[name], of(spec, name)
        slots = {slot: values.get(slot, start) for slot, start
                 in first_slots(spec, name, p).items()}
        rate = optimizer.rate * factor
        change, new = apply(optimizer, scale * gradient, list(slots.values()),
                            step + 1)
        if name.startswith('table/'):
            rows = touched[name[len('table/'):]]
            change[~rows] = 0
            for slot, old in zip(new, slots.values()):
                slot[~rows] = old[~rows]
        else:
            change = change + optimizer.weight_decay * p
        result[name] = p - rate * change
        result.update(zip(slots, new))
    return result


def apply(optimizer, g, slots, t):
    """What is subtracted for a rate of 1, and the new slots."""
    o = optimizer.options
    if optimizer.kind == 'sgd':
        return g, []
    if optimizer.kind == 'adagrad':
        a = slots[0] + g * g
        return g / (np.sqrt(a) + o['epsilon']), [a]
    if optimizer.kind == 'rowwise_adagrad':
        a = slots[0] + (g * g).mean(1)
        return g / (np.sqrt(a)[:, None] + o['epsilon']), [a]
    m = o['beta1'] * slots[0] + (1 - o['beta1']) * g
    v = o['beta2'] * slots[1] + (1 - o['beta2']) * g * g
    mean = m / (1 - o['beta1'] ** t)
    square = v / (1 - o['beta2'] ** t)
    return mean / (np.sqrt(square) + o['epsilon']), [m, v]
