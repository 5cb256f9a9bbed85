# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Masks of correlated features, from mutual information: which there are, and how often each hides a feature."""
import math


def correlated(matrix):
    """The mask of each seed feature: the seed and the floor(k / 2) others that share most with it, ties by order."""
    features = range(len(matrix))
    masks = []
    for seed in features:
        others = sorted((each for each in features if each != seed), key=lambda each: (-matrix[seed][each], each))
        masks.append(frozenset([seed, *others[:len(matrix) // 2]]))
    return masks


def hidden_share(masks, feature):
    return sum(feature in mask for mask in masks) / len(masks)


def random_masks(features):
    """How many ways there are to hide half of so many features."""
    return math.comb(features, features // 2)
