# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A compiled model (towerc --emit=lib), driven through runtime/tower.h."""
import ctypes
import json
import subprocess

import numpy as np


class Failed(Exception):
    """What the library said."""


class Model:
    """One model on one dataset. Tensors are views into its memory."""

    def __init__(self, library, data, threads=2):
        lib = self.lib = ctypes.CDLL(library)
        for name in ('tower_dataset_open', 'tower_open'):
            getattr(lib, name).restype = ctypes.c_void_p
        for name in ('tower_last_error', 'tower_manifest'):
            getattr(lib, name).restype = ctypes.c_char_p
        program = ctypes.c_char.in_dll(lib, 'tower_program')
        self.dataset = self._check(lib.tower_dataset_open(data.encode()))
        self.handle = self._check(lib.tower_open(
            ctypes.byref(program), ctypes.c_void_p(self.dataset), threads))
        self.model = ctypes.c_void_p(self.handle)
        self.manifest = json.loads(lib.tower_manifest(self.model))
        self.tensors = {tensor['name']: self._tensor(tensor)
                        for tensor in self.manifest['tensors']}
        entry = next(entry for entry in self.manifest['entries']
                     if entry['name'] == 'train_step')
        self.loss_names = [result['name'] for result in entry['results']]

    def _check(self, pointer):
        if not pointer:
            raise Failed(self.lib.tower_last_error().decode())
        return pointer

    def _tensor(self, tensor):
        data, count = ctypes.POINTER(ctypes.c_float)(), ctypes.c_int64()
        if self.lib.tower_tensor(self.model, tensor['name'].encode(),
                                 ctypes.byref(data), ctypes.byref(count)):
            raise Failed(self.lib.tower_last_error().decode())
        flat = np.ctypeslib.as_array(data, (count.value,))
        return flat.reshape(tensor['shape'])

    def initialize(self, seed):
        """Gives tensors the first values of a seed."""
        if self.lib.tower_initialize(self.model, ctypes.c_uint64(seed)):
            raise Failed(self.lib.tower_last_error().decode())

    def rate(self, step):
        """The schedule's factor at a step."""
        self.lib.tower_rate.restype = ctypes.c_float
        return self.lib.tower_rate(self.model, ctypes.c_int64(step))

    def step(self, step, seed, factor=1.0):
        """Runs one step on the tensors as they are. Losses, by name."""
        losses = (ctypes.c_float * len(self.loss_names))()
        if self.lib.tower_train_step(
                self.model, ctypes.c_int64(step), ctypes.c_uint64(seed),
                ctypes.c_float(factor), losses,
                ctypes.c_int64(len(self.loss_names))):
            raise Failed(self.lib.tower_last_error().decode())
        return dict(zip(self.loss_names, losses))

    def close(self):
        self.lib.tower_close(self.model)
        self.lib.tower_dataset_close(ctypes.c_void_p(self.dataset))


def build(towerc, spec, data, library):
    """Compiles a spec to a shared library."""
    subprocess.run([towerc, spec, '--data', data, '--emit=lib', '-o', library],
                   check=True)
