# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Optimizers of a spec in PyTorch: its own fused ones for dense parameters, row updates for tables.

torch.optim.SparseAdam adds epsilon before the bias correction, and so is another optimizer than the spec's; like it,
Rows sums the gradients of equal rows and then reads and writes the rows that were looked up, no others.
"""
import torch


class Rows:
    """A table's optimizer: Adam or Adagrad on the rows of a sparse gradient; moments of other rows stay."""

    def __init__(self, optimizer, table):
        self.kind, self.rate, self.options = optimizer.kind, optimizer.rate, optimizer.options
        self.table = table
        start = self.options.get('initial', 0.0)
        self.slots = [torch.full_like(table, start, requires_grad=False)
                      for _ in range({'sgd': 0, 'adagrad': 1, 'adam': 2}[self.kind])]

    def step(self, number):
        if self.table.grad is None:
            return  # All that reads it was masked.
        gradient = self.table.grad.coalesce()
        rows, g = gradient.indices()[0], gradient.values()
        self.table.grad = None
        slots = [slot.index_select(0, rows) for slot in self.slots]
        rate, o = self.rate, self.options
        if self.kind == 'adam':
            m, v = slots
            m.lerp_(g, 1 - o['beta1'])
            v.mul_(o['beta2']).addcmul_(g, g, value=1 - o['beta2'])
            root = v.sqrt().mul_((1 - o['beta2'] ** (number + 1)) ** -0.5).add_(o['epsilon'])
            change, rate = m / root, rate / (1 - o['beta1'] ** (number + 1))
        elif self.kind == 'adagrad':
            slots[0].addcmul_(g, g)
            change = g.div_(slots[0].sqrt().add_(o['epsilon']))
        else:
            change = g
        for slot, new in zip(self.slots, slots):
            slot.index_copy_(0, rows, new)
        self.table.data.index_add_(0, rows, change, alpha=-rate)


def dense(optimizer, parameters):
    """PyTorch's optimizer for the dense parameters, fused."""
    o = optimizer.options
    if optimizer.kind == 'adam':
        return torch.optim.Adam(parameters, optimizer.rate, (o['beta1'], o['beta2']), o['epsilon'], fused=True)
    if optimizer.kind == 'adagrad':
        return torch.optim.Adagrad(parameters, optimizer.rate, initial_accumulator_value=o['initial'],
                                   eps=o['epsilon'], fused=True)
    return torch.optim.SGD(parameters, optimizer.rate, fused=True)
