"""The loaded base and the tokenised inputs of all stages that are still to be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from adaptstilts.alignment.corpus import Corpus, corpus
from adaptstilts.alignment.spaces import require_pairs
from adaptstilts.base.identity import Identity
from adaptstilts.base.load import Base, check_device, load_base, load_tokenizer
from adaptstilts.base.vocabulary import used_pieces
from adaptstilts.data.tokens import tokenize
from adaptstilts.experiment.held_out import require_other_pairs
from adaptstilts.experiment.inputs import read_bitexts, task_texts
from adaptstilts.experiment.mining_inputs import MiningTokens, mining_tokens
from adaptstilts.experiment.plan import Plan
from adaptstilts.experiment.stage import Align, Located, Mine, Score, Stage, Train
from adaptstilts.experiment.watch import Watcher
from adaptstilts.training.classification import Labelled


@dataclass(frozen=True)
class TaskTokens:
    """A task's tokenised rows."""

    train: Labelled
    dev: Labelled
    test: Labelled
    data: list[dict[str, Any]]


@dataclass(frozen=True)
class BitextTokens:
    """A benchmark's distinct sentences, tokenised."""

    corpus: Corpus
    data: list[dict[str, Any]]


@dataclass(frozen=True)
class Workbench:
    """What stages work with.

    Attributes:
        base: The base, trimmed to the pieces that the inputs use.
        tasks: Inputs of each training, by the stage's key; a random adapter has none.
        bitexts: Inputs of each encoding, by the stage's key.
        record: The base's part of the run's record.
        identity: The base before it was loaded, for what else its checkpoint holds.
        mining: Inputs of each mining, by the stage's key.
    """

    base: Base
    tasks: dict[str, TaskTokens]
    bitexts: dict[str, BitextTokens]
    record: dict[str, Any]
    identity: Identity
    mining: dict[str, MiningTokens] = field(default_factory=dict)


def open_workbench(plan: Plan, stages: Sequence[Stage], watcher: Watcher) -> Workbench:
    """Reads and tokenises what some stages need, loads the base, and trims it to that.

    Args:
        plan: The plan.
        stages: Those that are not finished.
        watcher: Who is told.

    Raises:
        DataError: A table is broken, or does not serve for what is measured.
        HubError: The base cannot be had.
        MachineError: The device is not there.
    """
    settings = plan.recipe.base
    check_device(settings.device)
    for score in plan.stages:
        if isinstance(score, Score):  # said before a training, not after
            require_other_pairs(score)
    tokenizer = load_tokenizer(plan.identity, settings.revision)
    shape = plan.identity.shape
    # The first two positions are XLM-R's padding offset.
    longest = 512 if shape is None else shape.positions - 2
    tasks: dict[str, TaskTokens] = {}
    bitexts: dict[str, BitextTokens] = {}
    shared: dict[tuple[tuple[str, str], ...], BitextTokens] = {}
    mining: dict[str, MiningTokens] = {}
    mined: dict[tuple[object, ...], MiningTokens] = {}
    for stage in stages:
        if isinstance(stage, Train) and stage.control != "random":
            tasks[stage.key] = _task_tokens(stage, tokenizer, longest)
        elif isinstance(stage, Align):
            # By content: tables of the user's own may be called as others are.
            what = tuple((code, located.identity) for code, located in stage.bitexts.items())
            if what not in shared:
                shared[what] = _bitext_tokens(stage.bitexts, tokenizer, longest)
            bitexts[stage.key] = shared[what]
            sides = shared[what].corpus
            require_pairs(stage.extras.spaces, sides.foreign, sides.english)
        elif isinstance(stage, Mine):
            sets = [one.name for splits in stage.corpora.values() for one in splits.values()]
            place = (stage.protocol.max_length, *sets)
            if place not in mined:
                mined[place] = mining_tokens(stage, tokenizer, longest=longest)
            mining[stage.key] = mined[place]
    base = load_base(
        plan.identity,
        revision=settings.revision,
        quantization=settings.quantization,
        compute=settings.compute,
        device=settings.device,
    )
    parameters = sum(p.numel() for p in base.model.parameters())
    pieces = base.shape.pieces
    if settings.trim_vocabulary:
        texts = [ids for one in shared.values() for ids in one.corpus.token_ids]
        for found in mined.values():
            texts += [ids for one in found.sets.values() for ids in one.token_ids]
        for task in tasks.values():
            for labelled in (task.train, task.dev, task.test):
                texts.extend(map(list, labelled.token_ids))
        kept = used_pieces(texts, tokenizer.all_special_ids)
        base.trim_vocabulary(kept)
        watcher.noticed(f"vocabulary trimmed to {len(kept):,} of {pieces:,} pieces (lossless)")
    record = {
        "model": settings.model,
        "revision": settings.revision,
        "quantization": settings.quantization,
        "compute": settings.compute,
        "device": settings.device,
        "layers": base.shape.layers,
        "hidden_size": base.shape.width,
        "parameters": parameters,
        "pieces": pieces,
        "kept_pieces": base.model.get_input_embeddings().num_embeddings,
        "fingerprint": base.fingerprint,
        "bytes": base.bytes,
    }
    return Workbench(base, tasks, bitexts, record, plan.identity, mining)


def _task_tokens(stage: Train, tokenizer: Any, longest: int) -> TaskTokens:
    """A task's rows, tokenised."""
    texts = task_texts(stage)
    limit = min(stage.adapter.training.max_length, longest)
    train, dev, test = (
        Labelled(tokenize(tokenizer, part.texts, max_length=limit), part.labels)
        for part in (texts.train, texts.dev, texts.test)
    )
    return TaskTokens(train, dev, test, texts.data)


def _bitext_tokens(bitexts: dict[str, Located], tokenizer: Any, longest: int) -> BitextTokens:
    """A benchmark's distinct sentences, tokenised."""
    texts, data = read_bitexts(bitexts)
    return BitextTokens(corpus(texts, tokenizer, max_length=longest), data)
