# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What `steps` measured, as Markdown and JSON."""
import json
import os
import platform
import statistics


def losses(result, tolerance):
    """The losses of the same steps side by side: the first, the last, and how far apart they ever were."""
    steps = result['checked_steps']
    lines = [f'## {result["what"]}', '',
             f'Losses of steps 0 to {steps - 1} from the same parameters, rows, masks and dropped values:', '',
             f'| | step 0 | step {steps - 1} | largest relative distance of any step and loss |', '|---|---|---|---|']
    for name, values in result['losses'].items():
        distance = result['loss_distance'].get(name)
        said = '' if distance is None else f'{distance:.1e}' + (' **not the same**' if distance > tolerance else '')
        lines.append(f'| {name} | {_numbers(values[0])} | {_numbers(values[-1])} | {said} |')
    return '\n'.join(lines) + '\n'


def summarize(result):
    """Medians of blocks, their median, and the ratio of blocks of the same round."""
    medians = {name: [statistics.median(block) for block in blocks] for name, blocks in result['seconds'].items()}
    own = medians['towerc']
    result['median_seconds'] = {name: statistics.median(blocks) for name, blocks in medians.items()}
    result['ratio'] = {}
    for name, blocks in medians.items():
        ratios = sorted(mine / theirs for mine, theirs in zip(own, blocks))
        result['ratio'][name] = {'median': statistics.median(ratios), 'least': ratios[0], 'largest': ratios[-1]}


def times(result):
    """A row for each implementation."""
    blocks = next(iter(result['seconds'].values()))
    lines = [f'A step, median of {len(blocks)} alternating blocks of {len(blocks[0])} steps (least and largest block):',
             '', '| | ms | towerc / it (least and largest round) | planned |', '|---|---|---|---|']
    for name, blocks in result['seconds'].items():
        medians = sorted(1e3 * statistics.median(block) for block in blocks)
        ratio = result['ratio'][name]
        said = '' if name == 'towerc' else f'{ratio["median"]:.2f} ({ratio["least"]:.2f}, {ratio["largest"]:.2f})'
        about = result['about'][name]
        planned = f'{about["arena_bytes"] / 2**20:.1f} MiB' if 'arena_bytes' in about else ''
        lines.append(f'| {about["what"]} | {statistics.median(medians):.1f} ({medians[0]:.1f}, {medians[-1]:.1f}) '
                     f'| {said} | {planned} |')
    about = result['about']['towerc']
    lines += ['', f'towerc compiled it in {about["compile_seconds"]:.1f} s. Planned are intermediates; parameters and '
              f'optimizer slots take {about["tensor_bytes"] / 2**20:.1f} MiB.']
    if result.get('core_distance'):
        lines.append('From one processor to another and back, after each round: '
                     + ', '.join(f'{each:.0f}' for each in result['core_distance']) + ' ns.')
    return '\n'.join(lines) + '\n'


def machine(threads):
    return f'{_cpu()}, {os.cpu_count()} CPUs, {threads} threads used by each'


def write(stem, results, threads, tolerance):
    where = machine(threads)
    with open(stem + '.json', 'w') as file:
        json.dump({'machine': where, 'threads': threads, 'configurations': results}, file, indent=1)
    with open(stem + '.md', 'w') as file:
        file.write(f'# Training steps\n\n{where}.\n')
        for result in results:
            file.write('\n' + losses(result, tolerance))
            if 'ratio' in result:
                file.write('\n' + times(result))


def _numbers(values):
    return ', '.join(f'{value:.6f}' for value in values)


def _cpu():
    with open('/proc/cpuinfo') as file:
        for line in file:
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.machine()
