# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random models with what the oracle says of their first steps, saved for a machine that has neither (test/gpu/bundle)."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'reference'))

import numpy as np  # noqa: E402
from compiled import Model  # noqa: E402
from safetensors import load, save  # noqa: E402

STEPS = 3
SEED = 1
NEAR = 1e-3  # as in test/gpu/run
LARGEST = 100  # A training that diverges soon differs by rounding alone.


class Unfit(Exception):
    """Why a model is left out."""


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Unfit(f'{os.path.basename(command[0])}: {done.stderr.strip()[-200:]}')
    return done.stdout


def expected(tool, flags, data, folder):
    """Losses of each step and tensors after the last one, from the first values of SEED."""
    library, ir = os.path.join(folder, 'model.so'), os.path.join(folder, 'model.mlir')
    before, after = os.path.join(folder, 'before.safetensors'), os.path.join(folder, 'after.safetensors')
    run(tool('towerc'), *flags, '--emit=lib', '-o', library)
    run(tool('towerc'), *flags, '--emit=gradient', '-o', ir)
    model = Model(library, data)
    try:
        model.initialize(SEED)
        rates = [model.rate(step) for step in range(STEPS)]
        values = {name: value.copy() for name, value in model.tensors.items()}
    finally:
        model.close()
    losses = []
    for step, rate in enumerate(rates):
        save(before, values)
        run(tool('tower-eval'), ir, '--data', data, '--tensors', before, '--step', str(step), '--seed', str(SEED), '--rate',
            repr(rate), '--out', after)
        found = load(after)
        losses.append(float(found['loss']))
        for name in values:
            values[name] = np.asarray(found.get(f'updated/{name}', values[name]), np.float32)
        if not all(np.abs(value).max(initial=0) < LARGEST for value in values.values()):
            raise Unfit('training diverges')
    return losses, values


def make(options, seed, folder):
    """One model in `folder`: program, data, and what is expected of it. Throws Unfit."""
    def tool(name):
        return os.path.join(options.tools, name)

    with tempfile.TemporaryDirectory() as work:
        run(tool('tower-differential'), '--models', '1', '--seed', str(seed), '--minimum', '0', '--check', 'none', '--keep', work)
        kept = os.path.join(work, f'tower-differential-{seed}')
        spec, data = os.path.join(kept, 'model.txtpb'), os.path.join(folder, 'data')
        if not os.path.exists(spec):
            raise Unfit('no model')
        shutil.copytree(kept, data, ignore=shutil.ignore_patterns('*.txtpb', '*.mlir'))
        shutil.copy(os.path.join(kept, 'schema.txtpb'), data)
        flags = [spec, '--data', data, '--set', f'training.steps={STEPS}']
        losses, values = expected(tool, flags, data, work)
        exe, checkpoint = os.path.join(folder, 'model'), os.path.join(work, 'cpu.safetensors')
        run(tool('towerc'), *flags, '--target=both', f'--cpu={options.cpu}', '-o', exe)
        run(exe, 'train', '--data', data, '--checkpoint', checkpoint, '--seed', str(SEED), '--device', 'cpu', '--quiet')
        away = max(np.abs(found - values[name]).max(initial=0) / max(np.abs(values[name]).max(initial=0), 1e-2)
                   for name, found in load(checkpoint).items())
        if away > NEAR / 2:
            raise Unfit(f'{away:.1e} away on the CPU')
    save(os.path.join(folder, 'expected.safetensors'), values)
    with open(os.path.join(folder, 'expected.json'), 'w') as file:
        json.dump({'seed': SEED, 'steps': STEPS, 'losses': losses}, file)
