# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A spec with every default filled in, as the comments of model.proto say.

Numbers of the spec are float32, as are their defaults; arithmetic is double.
"""
import collections
import dataclasses

import numpy as np
from google.protobuf import text_format

from protos import model_pb2 as pb


def single(value):
    return float(np.float32(value))


def given(message, field, default):
    """An optional field, or its default."""
    return getattr(message, field) if message.HasField(field) else default


def choice(enum, value, default):
    return enum.Name(value) if value else default


@dataclasses.dataclass
class Init:
    kind: str       # normal, uniform, glorot, constant or zero
    scale: float
    seed: int       # 0: the training seed


@dataclasses.dataclass
class Table:
    rows: int
    dim: int
    init: Init


@dataclasses.dataclass
class Feature:
    name: str
    column: str
    kind: str       # single, multi or dense
    table: str      # single, multi
    pooling: str    # multi
    scaling: str    # dense
    width: int      # of the pooled feature


@dataclasses.dataclass
class Layer:
    units: int
    activation: str
    bias: bool
    init: Init


@dataclasses.dataclass
class Tower:
    name: str
    entity: str
    features: list
    layers: list
    normalized: bool
    masked: bool    # Some loss masks its features: it has default rows.


@dataclasses.dataclass
class Augmentation:
    mask: str
    masked_features: int
    value_dropout: float
    mi: str


@dataclasses.dataclass
class Loss:
    name: str
    weight: float
    kind: str       # in_batch_softmax, contrastive or spread_out
    options: dict   # The fields of its kind.


@dataclasses.dataclass
class Optimizer:
    kind: str
    rate: float
    weight_decay: float
    options: dict   # initial, epsilon, beta1, beta2


class Spec:
    def __init__(self, text, dataset):
        message = text_format.Parse(text, pb.Model())
        self.batch = given(message.training, 'batch', 1024)
        self.seed = given(message.training, 'seed', 1)
        self.clip_norm = message.training.clip_norm
        self.training = message.training
        self.optimizers = {'table': optimizer(message.training.tables),
                           'dense': optimizer(message.training.dense)}
        self.tables = {}
        for t in message.tables:
            init = initializer(t.initializer, Init('normal', single(.05), 0))
            self.tables[t.name] = Table(t.rows, t.dim, init)
        self.features = {}
        for e in message.entities:
            columns = dataset.entities[e.name].columns
            self.features[e.name] = [self._feature(f, columns)
                                     for f in e.features]
        self._size_tables(dataset)
        self.towers = {t.name: self._tower(t) for t in message.towers}
        kinds = collections.Counter()
        self.losses = [self._loss(loss, kinds) for loss in message.losses]

    def _feature(self, f, columns):
        kind = f.WhichOneof('kind')
        if kind == 'dense':
            scaling = choice(pb.Scaling, f.dense.scaling, 'STANDARDIZED')
            width = columns[f.column or f.name].numbers.shape[1]
            return Feature(f.name, f.column or f.name, kind, '', '', scaling,
                           given(f.dense, 'width', width))
        table = getattr(f, kind).table or f.name
        pooling = 'SUM'     # Of the one value.
        if kind == 'multi':
            pooling = choice(pb.Pooling, f.multi.pooling, 'MEAN')
        return Feature(f.name, f.column or f.name, kind, table, pooling, '',
                       self.tables[table].dim)

    def _size_tables(self, dataset):
        """Tables without `rows` hold their features' vocabularies."""
        needed = collections.defaultdict(lambda: 1)
        for entity, features in self.features.items():
            for f in features:
                if f.kind != 'dense':
                    column = dataset.entities[entity].columns[f.column]
                    rows = dataset.vocabularies[column.vocabulary]
                    needed[f.table] = max(needed[f.table], rows)
        for name, table in self.tables.items():
            table.rows = table.rows or needed[name]

    def _tower(self, t):
        features = self.features[t.entity]
        if t.features:
            named = {f.name: f for f in features}
            features = [named[name] for name in t.features]
        layers = [Layer(layer.units,
                        choice(pb.Activation, layer.activation, 'IDENTITY'),
                        layer.bias != pb.ABSENT,
                        initializer(layer.initializer, Init('glorot', 0, 0)))
                  for layer in t.layers]
        return Tower(t.name, t.entity, features, layers, t.output != pb.RAW,
                     masked=False)

    def _loss(self, loss, kinds):
        kind = loss.WhichOneof('kind')
        kinds[kind] += 1
        number = kinds[kind]
        name = loss.name or (kind if number == 1 else f'{kind}_{number}')
        weight = loss.weight if loss.HasField('weight') else 1.0
        options = getattr(self, '_' + kind)(getattr(loss, kind))
        return Loss(name, weight, kind, options)

    def _in_batch_softmax(self, m):
        return dict(
            query=self.towers[m.query], item=self.towers[m.item],
            temperature=given(m, 'temperature', single(.1)),
            logq=m.logq == pb.COUNTED,
            remove_hits=m.accidental_hits != pb.KEEP,
            remove_same_query=m.same_query_positives == pb.REMOVE,
            weighted=m.pair_weights == pb.FROM_DATA,
            augmentation=self._augmentation(m.augmentation, m.item))

    def _contrastive(self, m):
        return dict(
            tower=self.towers[m.tower],
            temperature=given(m, 'temperature', single(.1)),
            views=choice(pb.Views, m.views, 'COMPLEMENTARY'),
            uniform=m.items != pb.BATCH, batch=given(m, 'batch', self.batch),
            same_view_negatives=m.negatives == pb.ALL,
            remove_hits=m.accidental_hits != pb.KEEP,
            augmentation=self._augmentation(m.augmentation, m.tower))

    def _spread_out(self, m):
        return dict(tower=self.towers[m.tower], uniform=m.items != pb.BATCH,
                    batch=given(m, 'batch', self.batch))

    def _augmentation(self, m, tower):
        mask = choice(pb.Mask, m.mask, 'NO_MASK')
        half = len(self.towers[tower].features) // 2
        default = {'NO_MASK': 0, 'RANDOM': half, 'CORRELATED': half + 1}
        if mask != 'NO_MASK':
            self.towers[tower].masked = True
        count = given(m, 'masked_features', default[mask])
        return Augmentation(mask, count, m.value_dropout,
                            choice(pb.MutualInformation, m.mi, 'PLUGIN'))


def initializer(message, default):
    kind = message.WhichOneof('kind')
    if kind is None:
        return Init(default.kind, default.scale, message.seed)
    return Init(kind, float(getattr(message, kind)), message.seed)


def optimizer(message):
    kind = message.WhichOneof('kind') or 'adagrad'
    fields = getattr(message, kind)
    rate = given(fields, 'rate', single(.001 if kind == 'adam' else .05))
    defaults = {'sgd': {}, 'adam': dict(beta1=.9, beta2=.999, epsilon=1e-8),
                'adagrad': dict(initial=.1, epsilon=1e-10),
                'rowwise_adagrad': dict(initial=.1, epsilon=1e-10)}
    options = {name: given(fields, name, single(value))
               for name, value in defaults[kind].items()}
    return Optimizer(kind, rate, message.weight_decay, options)
