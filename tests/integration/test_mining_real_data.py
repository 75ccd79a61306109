"""Mining the real Chinese sample set of BUCC 2018 with the bundled encoder, made short."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from adaptstilts.alignment.bucc import evaluate
from adaptstilts.alignment.encode import encode
from adaptstilts.alignment.mining_protocol import MINING_PROTOCOLS, mining_layer
from adaptstilts.base.identity import POCKET, identify
from adaptstilts.base.load import Base, load_base
from adaptstilts.data.mining_set import MiningSet, mining_set
from adaptstilts.data.mirror import Mirror
from adaptstilts.data.tokens import tokenize
from adaptstilts.metric.mining import mine
from adaptstilts.task.registry import mining_benchmark

pytestmark = pytest.mark.mirror

FIRST = 1000  # sentences of a side, and all that gold names besides: about 2,500 to encode
LAYER = 4
NAME = "bucc2018/zh-en/dev"


def shortened(whole: MiningSet) -> MiningSet:
    rows = [np.union1d(np.arange(FIRST), side) for side in whole.gold.T]
    texts = [whole.foreign, whole.english]
    foreign, english = ([side[row] for row in kept] for side, kept in zip(texts, rows, strict=True))
    gold = [np.searchsorted(kept, side) for kept, side in zip(rows, whole.gold.T, strict=True)]
    return replace(whole, foreign=foreign, english=english, gold=np.stack(gold, axis=1))


def vectors(base: Base, texts: list[str], layer: int) -> np.ndarray:
    token_ids = tokenize(base.tokenizer, texts, max_length=base.shape.positions - 2)
    found = np.zeros((1, len(texts), base.shape.width), dtype=np.float32)
    list(encode(base, token_ids, layers=[layer], vectors=found, pooling="mean"))
    return found[0]


def test_the_pocket_encoder_mines_chinese(mirror: Path) -> None:
    tables = mining_benchmark("bucc2018").sets["zh"]["dev"]
    source = Mirror(mirror)
    corpora = shortened(
        mining_set(
            source.read(tables.foreign),
            source.read(tables.english),
            source.read(tables.gold),
            name=NAME,
            language="zh",
        )
    )
    identity = identify(POCKET, None)
    base = load_base(identity, revision=None, quantization="int8", compute="fp32", device="cpu")
    protocol = MINING_PROTOCOLS["jiant"]
    layer, _ = mining_layer(protocol, asked=LAYER, layers=base.shape.layers)
    foreign = vectors(base, corpora.foreign, layer)
    english = vectors(base, corpora.english, layer)

    found = evaluate(foreign, english, corpora, protocol)
    # Measured: F1 0.885 (0.853 to 0.916), precision 0.917, recall 0.856. Among all 8,624 and
    # 13,589 sentences, where more can be mistaken, it is 0.711 (0.664 to 0.757).
    assert found.score.gold == 257
    assert found.score.f1 > 0.80
    assert found.interval.low[2] < found.score.f1 < found.interval.high[2]
    assert found.is_oracle
    assert found.threshold.value > 1
    # The margin is what lifts the nearest neighbours: the cosine alone does worse.
    alone = evaluate(foreign, english, corpora, replace(protocol, margin="absolute"))
    assert alone.score.f1 < found.score.f1 - 0.01

    block = 100_000
    tracemalloc.start()
    in_tiles = mine(foreign, english, block=block)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    copies = 4 * (foreign.nbytes + english.nbytes)
    assert peak < copies + 100 * block + (8 << 20)
    at_once = mine(foreign, english)
    assert np.array_equal(in_tiles.pairs, at_once.pairs)
    assert np.array_equal(in_tiles.scores, at_once.scores)
