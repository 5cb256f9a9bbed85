# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a step draws: its pairs, its items, its masks, its dropped values."""
import math

import numpy as np

from philox import Stream


def permute(index, total, epoch, seed):
    """Images of `index` under the epoch's order, a bijection of [0, total).

    A 6-round balanced Feistel network permutes [0, 4^h), the least such range
    that holds `total`; walking on until the image is below `total` makes it a
    permutation of [0, total). So an epoch's order needs no memory.
    """
    half = 1
    while 4 ** half < total:
        half += 1
    low = np.uint64(2 ** half - 1)
    stream = Stream(seed, 'pairs')
    image = np.array(index, np.uint64)
    outside = np.ones(image.shape, bool)
    while outside.any():
        left, right = image[outside] >> np.uint64(half), image[outside] & low
        for turn in range(6):
            word = stream.words(right, turn, epoch & 0xFFFFFFFF, epoch >> 32)
            left, right = right, left ^ (word[0] & low)
        image[outside] = left << np.uint64(half) | right
        outside = image >= total
    return image.astype(np.int64)


def batch_pairs(step, batch, total, seed):
    """Positions in the training pairs of the step's batch.

    An epoch is cut into floor(total / batch) batches; the rest is left out.
    """
    if total < batch:
        raise ValueError(f'{total} training pairs are fewer than a batch '
                         f'of {batch}')
    batches = total // batch
    first = step % batches * batch
    return permute(np.arange(first, first + batch), total, step // batches,
                   seed)


def uniform_items(loss, step, count, total, seed):
    """`count` rows drawn uniformly from [0, total), with replacement."""
    word = Stream(seed, f'{loss}/items').at_step(step, np.arange(count))
    draws = zip(word[0].tolist(), word[1].tolist())
    return np.array([(low + (high << 32)) * total >> 64
                     for low, high in draws], np.int64)


def random_mask(stream, step, features, masked, seed):
    """RFM: `masked` of the features, drawn without replacement."""
    words = Stream(seed, stream).at_step(step, np.arange(masked))[0].tolist()
    order = list(range(features))
    for j, word in enumerate(words):
        other = j + (word * (features - j) >> 32)
        order[j], order[other] = order[other], order[j]
    return _mask(order[:masked], features)


def correlated_mask(stream, step, order, masked, seed):
    """CFM: a random seed feature and the masked - 1 most correlated with it.

    order[s]: the other features by falling mutual information with s.
    """
    features = len(order)
    word = int(Stream(seed, stream).at_step(step, 0)[0])
    first = word * features >> 32
    return _mask([first, *order[first][:masked - 1]], features)


def _mask(chosen, features):
    mask = np.zeros(features, bool)
    mask[chosen] = True
    return mask


def dropped(stream, step, positions, indices, rate, seed):
    """Value dropout: is value `indices` of batch row `positions` dropped?"""
    word = Stream(seed, stream).at_step(step, positions, indices)[0]
    return word < np.uint64(math.floor(rate * 2 ** 32 + 0.5))


def first_values(tensor, shape, kind, scale, seed):
    """First values of a parameter: normal (a deviation), uniform (a half
    width), constant or zero."""
    count = int(np.prod(shape))
    if kind in ('constant', 'zero'):
        return np.full(shape, scale if kind == 'constant' else 0.0)
    pair = np.arange((count + 1) // 2)
    word = Stream(seed, f'init/{tensor}').words(pair & 0xFFFFFFFF, pair >> 32)
    if kind == 'normal':
        radius = np.sqrt(-2 * np.log((word[0] + 1.0) / 2 ** 32))
        angle = 2 * np.pi * word[1] / 2 ** 32
        values = radius * np.cos(angle), radius * np.sin(angle)
    else:
        values = [2 * (w + 0.5) / 2 ** 32 - 1 for w in word[:2]]
    return scale * np.stack(values, 1).reshape(-1)[:count].reshape(shape)
