# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The messages of frontend/model.proto and frontend/data.proto.

Taken from the build tree when it is on PYTHONPATH (ctest does that), else
made by protoc in a temporary folder.
"""
import pathlib
import subprocess
import sys
import tempfile

try:
    from frontend import data_pb2, model_pb2
except ImportError:
    _root = pathlib.Path(__file__).resolve().parents[2]
    _protos = [_root / 'frontend' / f'{name}.proto'
               for name in ('model', 'data')]
    with tempfile.TemporaryDirectory() as _folder:
        subprocess.run(['protoc', '-I', _root, f'--python_out={_folder}',
                        *_protos], check=True)
        sys.path.insert(0, _folder)
        sys.modules.pop('frontend', None)
        from frontend import data_pb2, model_pb2
        sys.path.remove(_folder)

__all__ = ['data_pb2', 'model_pb2']
