# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Comparing results: with another program's, and with differences."""
import numpy as np

from losses import Step


def compare(reference, other, rtol, atol, need_all=False):
    """1 if a tensor of `other` is further from the reference's than
    atol + rtol x the reference tensor's largest absolute value, else 0.

    Integers must be equal. Names that only the reference has are counted,
    or with `need_all` refused; names that only the other has are refused.
    """
    failed = []
    for name in sorted(other):
        if name not in reference:
            failed.append(name)
            print(f'FAIL {name}: the reference has no such tensor')
            continue
        expected, found = reference[name], other[name]
        if expected.shape != found.shape:
            failed.append(name)
            print(f'FAIL {name}: shape {found.shape} instead of '
                  f'{expected.shape}')
            continue
        limit = 0.0
        if expected.dtype.kind == 'f':
            limit = atol + rtol * np.abs(expected).max(initial=0)
        away = np.abs(found.astype(float) - expected).max(initial=0)
        good = bool(away <= limit)      # False for NaN
        if not good:
            failed.append(name)
        print(f'{"ok  " if good else "FAIL"} {name}: {away:.3g} away, '
              f'{limit:.3g} allowed')
    missing = sorted(set(reference) - set(other))
    if missing and need_all:
        failed += missing
        print('FAIL missing:', ' '.join(missing))
    print(f'{len(other)} compared, {len(failed)} failed, {len(missing)} only '
          f'in the reference')
    return int(bool(failed) or not other)


def differences(spec, dataset, values, step, seed, results, count):
    """The largest distance of a gradient from central differences.

    `count` elements of each parameter are checked, half of them where the
    gradient is not 0. Distances are shares of the largest element of the
    parameter's gradient (or of 1e-3, where that is larger).
    """
    random = np.random.default_rng(seed)
    worst = 0.0
    prefix = 'gradient/'
    for key in [key for key in results if key.startswith(prefix)]:
        name = key[len(prefix):]
        gradient = results[key].reshape(-1)
        anywhere = random.integers(gradient.size, size=count - count // 2)
        active = np.flatnonzero(gradient)
        if len(active):
            active = random.choice(active, count // 2)
        largest = max(np.abs(gradient).max(), 1e-3)
        for element in np.concatenate([anywhere, active]).astype(int):
            found = _difference(spec, dataset, values, step, seed, name,
                                element)
            away = abs(found - gradient[element]) / largest
            worst = max(worst, away)
    return worst


def _difference(spec, dataset, values, step, seed, name, element):
    totals = []
    h = 1e-6 * max(1.0, abs(values[name].reshape(-1)[element]))
    for sign in (1, -1):
        moved = values[name].copy()
        moved.reshape(-1)[element] += sign * h
        totals.append(Step(spec, dataset, {**values, name: moved}, step,
                           seed).total)
    return (totals[0] - totals[1]) / (2 * h)
