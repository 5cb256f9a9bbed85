# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Named tensors in files: .safetensors, .npz, or a folder of .npy files."""
import json
import os
import struct

import numpy as np

DTYPES = {'F64': '<f8', 'F32': '<f4', 'I64': '<i8', 'I32': '<i4',
          'U8': '|u1', 'BOOL': '|b1'}


def load(path):
    """All tensors of a file or folder, by name."""
    if os.path.isdir(path):
        return _load_folder(path)
    if path.endswith('.npz'):
        with np.load(path) as file:
            return dict(file)
    return _load_safetensors(path)


def _load_folder(path):
    tensors = {}
    for folder, _, files in os.walk(path):
        for file in files:
            if file.endswith('.npy'):
                whole = os.path.join(folder, file)
                name = os.path.relpath(whole, path)[:-len('.npy')]
                tensors[name] = np.load(whole)
    return tensors


def _load_safetensors(path):
    with open(path, 'rb') as file:
        data = file.read()
    if len(data) < 8 or struct.unpack_from('<Q', data)[0] > len(data) - 8:
        raise ValueError(f'{path}: no .safetensors file')
    size, = struct.unpack_from('<Q', data)
    header = json.loads(data[8:8 + size])
    tensors = {}
    for name, entry in header.items():
        if name == '__metadata__':
            continue
        begin, end = (8 + size + offset for offset in entry['data_offsets'])
        flat = np.frombuffer(data[begin:end], DTYPES[entry['dtype']])
        tensors[name] = flat.reshape(entry['shape'])
    return tensors


def save(path, tensors):
    """Writes .safetensors, .npz, or a folder of .npy files."""
    if path.endswith('.safetensors'):
        _save_safetensors(path, tensors)
    elif path.endswith('.npz'):
        np.savez(path, **tensors)
    else:
        for name, value in tensors.items():
            file = os.path.join(path, name + '.npy')
            os.makedirs(os.path.dirname(file), exist_ok=True)
            np.save(file, value)


def _save_safetensors(path, tensors):
    codes = {np.dtype(code): name for name, code in DTYPES.items()}
    header, blocks, offset = {}, [], 0
    for name, value in tensors.items():
        value = np.asarray(value)
        block = value.tobytes()
        header[name] = {'dtype': codes[value.dtype],
                        'shape': list(value.shape),
                        'data_offsets': [offset, offset + len(block)]}
        blocks.append(block)
        offset += len(block)
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(text)) + text)
        file.writelines(blocks)
