#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The second witness: a model in float64, from the equations of the paper.

It reads a spec, a dataset's folder and a file of parameters, never IR. Each
command explains itself: reference.py step --help.
"""
import argparse
import sys

import numpy as np

import model
import mutual_information
import optimizer
import synthetic
from compare import compare, differences
from data import Dataset
from losses import Step
from model import Towers
from safetensors import load, save
from spec import Spec


def read_spec(path, folder):
    dataset = Dataset(folder)
    with open(path) as file:
        return Spec(file.read(), dataset), dataset


def read_values(path, spec, dataset):
    """Parameters, constants and slots of a file, in float64.

    Constants may be left out; else they must be those of the data.
    """
    stored = {name: value.astype(np.float64)
              for name, value in load(path).items()}
    for name, (shape, _) in model.parameters(spec).items():
        found = stored[name].shape if name in stored else 'nothing'
        if found != shape:
            raise ValueError(f'{path}: {name}: expected {shape}, '
                             f'found {found}')
    for name, value in model.constants(spec, dataset).items():
        other = stored.setdefault(name, value)
        if not np.allclose(other, value, rtol=1e-5, atol=1e-6):
            raise ValueError(f'{path}: {name} is {other}, but {value} in the '
                             f'data')
    return stored


def run_step(spec, dataset, values, step, seed, factor):
    """Everything that one step draws and computes, by name."""
    state = Step(spec, dataset, values, step, seed)
    gradients = state.gradients()
    results = {'loss': np.array(state.total)}
    results.update({f'loss/{name}': np.array(value)
                    for name, value in state.losses.items()})
    results['gradient_norm'] = np.array(optimizer.norm(gradients))
    results.update({f'gradient/{name}': value
                    for name, value in gradients.items()})
    updated = optimizer.update(spec, values, gradients, state.towers.touched,
                               step, factor)
    results.update({f'updated/{name}': value
                    for name, value in updated.items()})
    results.update(model.constants(spec, dataset))
    results.update({f'touched/{name}': np.flatnonzero(rows)
                    for name, rows in state.towers.touched.items()})
    results.update(state.record)
    return results


def step_command(options):
    spec, dataset = read_spec(options.spec, options.data)
    values = read_values(options.parameters, spec, dataset)
    seed = spec.seed if options.seed is None else options.seed
    factor = options.factor
    if factor == 'schedule':
        factor = optimizer.rate_factor(spec.training, options.step,
                                       len(dataset.pairs['train'].query),
                                       spec.batch)
    results = run_step(spec, dataset, values, options.step, seed,
                       float(factor))
    for name, value in results.items():
        if value.ndim == 0:
            print(f'{name:40} {float(value):.12g}')
        elif name.startswith('gradient/'):
            print(f'{name:40} {str(value.shape):14} |.| = '
                  f'{np.linalg.norm(value):.9g}')
        elif name.startswith('mask/'):
            print(f'{name:40} {value}')
    if options.out:
        save(options.out, results)
    if options.differences:
        worst = differences(spec, dataset, values, options.step, seed,
                            results, options.differences)
        print(f'worst difference to central differences: {worst:.3g} of the '
              f"parameter's largest gradient")
        return worst > 1e-4
    return 0


def init_command(options):
    spec, dataset = read_spec(options.spec, options.data)
    seed = spec.seed if options.seed is None else options.seed
    values = model.initialize(spec, seed, options.noise)
    slots = {}
    for name, value in values.items():
        slots.update(optimizer.first_slots(spec, name, value))
    values = {**values, **slots, **model.constants(spec, dataset)}
    save(options.out, {name: value.astype(np.float32)
                       for name, value in values.items()})
    return 0


def embed_command(options):
    spec, dataset = read_spec(options.spec, options.data)
    values = read_values(options.parameters, spec, dataset)
    results = {}
    for tower in spec.towers.values():
        rows = np.arange(dataset.entities[tower.entity].rows)
        node = Towers(spec, dataset, values).encode(tower, rows)
        results[f'embedding/{tower.name}'] = node.value
    save(options.out, results)
    return 0


def mi_command(options):
    dataset = Dataset(options.data)
    entity = dataset.entities[options.entity]
    names = options.columns or list(entity.columns)
    own = mutual_information.matrix(entity, names)
    for name, row in zip(names, own):
        print(f'{name:16}', *[f'{value:9.6f}' for value in row])
    if options.out:
        save(options.out, {'mi': own})
    if options.check:
        errors = mutual_information.check(dataset, entity)
        print(*errors, f'mi.json: {len(errors)} errors', sep='\n')
        return bool(errors)
    return 0


def compare_command(options):
    return compare(load(options.reference), load(options.other),
                   options.rtol, options.atol, options.all)


def data_command(options):
    synthetic.write(options.kind, options.out, options.seed)
    return 0


def parser():
    whole = argparse.ArgumentParser(description=__doc__)
    commands = whole.add_subparsers(dest='command', required=True)

    def command(name, function, text, *places):
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(function=function)
        for place in places:
            made.add_argument(place)
        return made

    p = command('step', step_command,
                'One training step: losses, gradients, updated tensors.',
                'spec', 'data', 'parameters')
    p.add_argument('--step', type=int, default=0)
    p.add_argument('--seed', type=int, help="default: the spec's")
    p.add_argument('--factor', default='1', help="of the rates; `schedule`: "
                   "the spec's at this step")
    p.add_argument('--out', help='.safetensors, .npz, or a folder of .npy')
    p.add_argument('--differences', type=int, default=0, metavar='N',
                   help='check N elements of each gradient by differences')
    p = command('init', init_command, 'First values of all tensors.', 'spec',
                'data', 'out')
    p.add_argument('--seed', type=int, help="default: the spec's")
    p.add_argument('--noise', type=float, default=0.0,
                   help='deviation of noise to add to every parameter')
    command('embed', embed_command, 'Embeddings of all rows, by tower.',
            'spec', 'data', 'parameters', 'out')
    p = command('mi', mi_command, 'Plug-in mutual information of columns.',
                'data', 'entity')
    p.add_argument('columns', nargs='*', help='default: all')
    p.add_argument('--out')
    p.add_argument('--check', action='store_true',
                   help="compare with the data's mi.json")
    p = command('compare', compare_command,
                'Compares two files or folders of results, by name.',
                'reference', 'other')
    p.add_argument('--rtol', type=float, default=1e-4)
    p.add_argument('--atol', type=float, default=1e-5)
    p.add_argument('--all', action='store_true',
                   help='the other must have every tensor of the reference')
    p = command('data', data_command, 'A small synthetic dataset.')
    p.add_argument('kind', choices=sorted(synthetic.KINDS))
    p.add_argument('out')
    p.add_argument('--seed', type=int, default=7)
    return whole


def main(arguments=None):
    options = parser().parse_args(arguments)
    try:
        return int(options.function(options))
    except (ValueError, OSError, KeyError) as error:
        print(f'reference.py: error: {error}', file=sys.stderr)
        return 2


if __name__ == '__main__':
    sys.exit(main())
