# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A compiled model as a shared library (towerc --emit=lib), through its C interface."""
import ctypes
import os

POINTERS = ('tower_dataset_open', 'tower_open')


class Library:
    """runtime/tower.h by ctypes; failures end the program with the library's own message."""

    def __init__(self, path):
        self._library = ctypes.CDLL(os.path.abspath(path))
        self.program = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.in_dll(self._library, 'tower_program')))
        for name in POINTERS:
            getattr(self._library, name).restype = ctypes.c_void_p
        for name in ('tower_manifest', 'tower_tensor_name', 'tower_last_error'):
            getattr(self._library, name).restype = ctypes.c_char_p
        for name in ('tower_tensor_count', 'tower_steps_per_epoch'):
            getattr(self._library, name).restype = ctypes.c_int64
        self._library.tower_rate.restype = ctypes.c_float
        self.train_step = self._library.tower_train_step

    def call(self, name, *arguments):
        result = getattr(self._library, name)(*arguments)
        if not result if name in POINTERS else result == -1:
            self.fail()
        return result

    def fail(self):
        raise SystemExit(f'error: {self._library.tower_last_error().decode()}')
