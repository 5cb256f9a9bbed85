# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The five specs of specs/, each with synthetic data and parameters."""
import atexit
import os
import tempfile

import model
import reference
import synthetic

HERE = os.path.dirname(os.path.abspath(__file__))
SPECS = {'debian_like': 'packages', 'siamese': 'packages', 'numbers': 'shop',
         'two_ssl': 'packages', 'feature_dropout': 'shop'}

_temporary = tempfile.TemporaryDirectory()
atexit.register(_temporary.cleanup)
FOLDER = _temporary.name
for kind in synthetic.KINDS:
    synthetic.write(kind, os.path.join(FOLDER, kind))


def case(name):
    """(spec, dataset, values) with no parameter at a special point."""
    spec, dataset = reference.read_spec(
        os.path.join(HERE, 'specs', f'{name}.txtpb'),
        os.path.join(FOLDER, SPECS[name]))
    values = model.initialize(spec, spec.seed, noise=0.2)
    return spec, dataset, {**values, **model.constants(spec, dataset)}
