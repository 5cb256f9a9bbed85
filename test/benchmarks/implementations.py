# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The implementations of a configuration, ready to be started: towerc's compiled model, peers, and what they need."""
import argparse
import os
import subprocess
import sys
import time

import numpy as np
from google.protobuf import text_format

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

import draws  # noqa: E402
import uniform_data  # noqa: E402
from protos import model_pb2  # noqa: E402
from safetensors import save  # noqa: E402
from worker import Worker  # noqa: E402

PEERS = {     # Name -> its worker, perhaps which of its ways, and its folder of packages.
    'pytorch': (('torch_worker.py', 'eager'), 'torch'), 'pytorch-compile': (('torch_worker.py', 'compile'), 'torch'),
    'jax': (('jax_worker.py', 'expert'), 'jax'), 'jax-plain': (('jax_worker.py', 'plain'), 'jax'),
    'floor': (('floor_worker.py',), 'torch')}
# Freed memory stays with a process: JAX would spend a fifth of a step on new pages.
KEEP_MEMORY = {'GLIBC_TUNABLES': f'glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold={2**40}:glibc.malloc.arena_max=1'}


def peers(text):
    """An option's value: names with commas between."""
    names = text.split(',')
    for name in names:
        if name not in PEERS:
            raise argparse.ArgumentTypeError(f'there is no peer {name}; there are {", ".join(PEERS)}')
    return names


def overridden(path, fields):
    """The spec's text with fields, given as dotted paths, set to other values."""
    with open(path) as file:
        message = text_format.Parse(file.read(), model_pb2.Model())
    for name, value in fields.items():
        *parents, last = name.split('.')
        part = message
        for parent in parents:
            part = getattr(part, parent)
        setattr(part, last, value)
    return text_format.MessageToString(message)


def write_parameters(path, spec, data, noise):
    values = draws.model.initialize(spec, spec.seed, noise)
    slots = {}
    for name, value in values.items():
        slots.update(draws.optimizer.first_slots(spec, name, value))
    tensors = {**values, **slots, **draws.model.constants(spec, data)}
    save(path, {name: value.astype(np.float32) for name, value in tensors.items()})


def dataset(options, data):
    """The folder of a configuration's data: a path, or how many ids (and categories) there are to draw from."""
    if isinstance(data, str):
        folder = os.path.join(ROOT, data)
        if not os.path.exists(os.path.join(folder, 'schema.json')):
            raise SystemExit(f'error: {folder} is not there: make it first, see test/benchmarks/README.md')
        return folder
    folder = os.path.join(options.out, '-'.join(['uniform', *map(str, data.values())]))
    if not os.path.exists(folder):
        uniform_data.write(folder, data['uniform'], *([data['categories']] if 'categories' in data else []))
    return folder


def passes(towerc, spec, folder):
    """What --disable may name: towerc says it when asked to disable something else."""
    said = subprocess.run([towerc, spec, '--data', folder, '--disable=?'], stderr=subprocess.PIPE, text=True).stderr
    if 'there are ' not in said:
        raise SystemExit(f'error: {towerc} does not say which optimizations there are: {said}')
    return said.strip().rpartition('there are ')[2].split(', ')


class Implementations:
    """Writes the spec and the first values of a configuration; compiles and starts what runs it."""

    def __init__(self, options, config, stem):
        self.options, self.stem = options, stem
        self.folder = dataset(options, config['data'])
        with open(stem + '.txtpb', 'w') as file:
            file.write(overridden(os.path.join(ROOT, config['spec']), config.get('set', {})))
        data = draws.Data(self.folder)
        with open(stem + '.txtpb') as file:
            spec = draws.Spec(file.read(), data)
        write_parameters(stem + '.safetensors', spec, data, options.noise)
        self.common = [self.folder, stem + '.safetensors', str(spec.seed), str(options.threads)]
        self.environment = {'OMP_NUM_THREADS': str(options.threads)}

    def compile(self, disabled=(), fields=()):
        """Without some optimizations, with fields of the spec set (PATH=VALUE). Gives the library's path, and the seconds
        that it took."""
        library = '-'.join([self.stem, *disabled, *fields]) + '.so'
        flags = [f'--disable={each}' for each in disabled] + [f'--set={each}' for each in fields]
        began = time.perf_counter()
        if subprocess.run([self.options.towerc, self.stem + '.txtpb', '--data', self.folder, '--emit=lib', '-o', library,
                           *flags]).returncode:
            raise SystemExit(1)
        return library, time.perf_counter() - began

    def towerc(self, name, library):
        return Worker(name, [sys.executable, os.path.join(HERE, 'towerc_worker.py'), library, *self.common],
                      self.environment)

    def peer(self, name):
        (script, *way), packages = PEERS[name]
        packages = os.path.join(ROOT, 'build/peers', packages)
        if not os.path.isdir(packages):
            raise SystemExit(f'error: {packages} is not there: run test/benchmarks/install-peers first')
        return Worker(name, [sys.executable, os.path.join(HERE, script), *way, self.stem + '.txtpb', *self.common],
                      {**self.environment, **KEEP_MEMORY, 'PYTHONPATH': packages})
