"""Retrievers: what they find, against the plain formulas, and a catalogue that changes under them."""

import random
from collections.abc import Callable
from pathlib import Path

import bm25s
import numpy as np
import pytest
from brands import NAMES, UNKNOWN, pairs

from pyfastlm.errors import InputError, InputTypeError, MissingExtra
from pyfastlm.index import TermIndex
from pyfastlm.index.term_index import Match
from pyfastlm.lm.sentence_encoder import SentenceEncoder
from pyfastlm.spelling import BM25, Dense, Fuzzy, Hybrid
from pyfastlm.spelling.context import Retriever, bm25
from pyfastlm.spelling.context.fuzzy import resembling
from pyfastlm.spelling.context.retriever import fused
from pyfastlm.spelling.context.words import words_of

WORDS = ["red", "blue", "running", "shoes", "lamp", "desk", "case", "phone", "velora", "mini", "set", "for"]


def made_up(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return list(dict.fromkeys(" ".join(rng.choices(WORDS, k=rng.randint(1, 5))) for _ in range(count)))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mean of a random vector for each token of a text."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tiny import tiny_tokenizer

    with torch.random.fork_rng():
        torch.manual_seed(0)
        embedding = StaticEmbedding(tiny_tokenizer().backend_tokenizer, embedding_dim=32)
    directory = tmp_path_factory.mktemp("encoder")
    SentenceTransformer(modules=[embedding], device="cpu").save(str(directory))
    return directory


@pytest.fixture
def index(tmp_path: Path) -> TermIndex:
    return TermIndex.build([(name, 1.0) for name in NAMES], tmp_path / "names", similar=True)


@pytest.fixture(params=["bm25", "fuzzy bm25", "fuzzy", "dense", "hybrid"])
def changing(
    request: pytest.FixtureRequest, index: TermIndex, encoder: Path
) -> tuple[Retriever, Callable[[str], None], Callable[[str], None]]:
    """A retriever over NAMES, and how a name is added and removed."""
    made: dict[str, Callable[[], Retriever]] = {
        "bm25": lambda: BM25(NAMES),
        "fuzzy bm25": lambda: BM25(NAMES, fuzzy=True),
        "fuzzy": lambda: Fuzzy(resembling(index)),
        "dense": lambda: Dense(NAMES, encoder),
        "hybrid": lambda: Hybrid([BM25(NAMES), Fuzzy(resembling(index)), Dense(NAMES, encoder)]),
    }
    retriever = made[request.param]()

    def add(name: str) -> None:
        index.add(name, 1.0)
        retriever.add([name])

    def remove(name: str) -> None:
        index.remove(name)
        retriever.remove([name])

    return retriever, add, remove


def test_every_retriever_sees_a_changed_catalogue(
    changing: tuple[Retriever, Callable[[str], None], Callable[[str], None]],
) -> None:
    retriever, add, remove = changing
    assert [found[0] for found in retriever.retrieve(NAMES, 5)] == NAMES
    for name in UNKNOWN:
        assert name not in retriever.retrieve([name], 50)[0]
        add(name)
        assert retriever.retrieve([name, NAMES[0]], 5)[0][0] == name
    remove(NAMES[0])
    remove(UNKNOWN[0])
    for found in retriever.retrieve([NAMES[0], UNKNOWN[0], " ".join(NAMES)], 50):
        assert not {NAMES[0], UNKNOWN[0]} & set(found)
        assert len(found) == len(set(found))
    add(NAMES[0])
    assert retriever.retrieve([NAMES[0]], 1) == [[NAMES[0]]]
    retriever.add([NAMES[1], NAMES[1]])
    retriever.remove(["never there"])
    assert retriever.retrieve([NAMES[1]], 50)[0].count(NAMES[1]) == 1


def test_what_is_refused(
    changing: tuple[Retriever, Callable[[str], None], Callable[[str], None]],
) -> None:
    retriever, _, _ = changing
    assert retriever.retrieve([], 3) == []
    assert retriever.retrieve(["", " \n"], 3) == [[], []]
    with pytest.raises(InputTypeError, match="queries: expected several strings, got one string"):
        retriever.retrieve("playgro", 3)
    with pytest.raises(InputTypeError, match=r"queries\[1\]: expected a string, got int"):
        retriever.retrieve(["a", 1], 3)  # type: ignore[list-item]
    with pytest.raises(InputError, match=r"queries\[0\]: expected Unicode text, got the lone surrogate"):
        retriever.retrieve(["\ud800"], 3)
    for k in (0, -1, True, 1.5):
        with pytest.raises(InputError, match="k: expected a whole number >= 1"):
            retriever.retrieve(["a"], k)  # type: ignore[arg-type]


def test_bm25_is_that_of_the_library() -> None:
    names = made_up(300, seed=0)
    reference = bm25s.BM25(k1=1.5, b=0.75, method="lucene")
    reference.index([words_of(name) for name in names], show_progress=False)
    queries = [*made_up(40, seed=1), "lamp lamp desk", "nothing"]
    for query, found in zip(queries, BM25(names).retrieve(queries, 20), strict=True):
        known = [word for word in words_of(query) if word in reference.vocab_dict]
        scores = reference.get_scores(known) if known else np.zeros(len(names))
        order = [place for place in np.argsort(-scores, kind="stable").tolist() if scores[place] > 0]
        assert found == [names[place] for place in order[:20]]


def test_names_added_to_bm25_are_weighed_like_the_others() -> None:
    # The same names again: each score comes twice.
    names = made_up(300, seed=0)
    later = [f"{name} " for name in names]
    changing = BM25(names)
    changing.add(later)
    for query in made_up(40, seed=1):
        places, scores = changing._scored(words_of(query))
        by_place = dict(zip(places.tolist(), scores.tolist(), strict=True))
        assert by_place
        for place, score in by_place.items():
            assert by_place[(place + len(names)) % (2 * len(names))] == pytest.approx(score, rel=1e-5)


def test_bm25_folds_its_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bm25, "FOLD", 20)
    names = made_up(200, seed=0)
    changing = BM25(names[:20], fuzzy=True)
    for start in range(20, len(names), 3):
        changing.add(names[start : start + 3])
    changing.remove(names[::3])
    left = [name for place, name in enumerate(names) if place % 3]
    changing.remove(names[-30:])
    left = [name for name in left if name not in names[-30:]]
    found = changing.retrieve(left, 200)
    assert all(name in of_name for name, of_name in zip(left, found, strict=True))
    assert {name for of_name in found for name in of_name} == set(left)
    changing._build(left)
    queries = made_up(20, seed=2)
    assert changing.retrieve(queries, 10) == BM25(left, fuzzy=True).retrieve(queries, 10)


def test_misspelled_words_need_the_fuzzy_one() -> None:
    asked = pairs([name for name in NAMES if " " in name and name.isascii()], 5, seed=0)
    queries = [pair.noisy for pair in asked]
    plain, fuzzy = (
        sum(pair.gold in found for pair, found in zip(asked, each.retrieve(queries, 3), strict=True))
        for each in (BM25(NAMES), BM25(NAMES, fuzzy=True))
    )
    assert fuzzy > plain
    assert fuzzy >= 0.9 * len(asked)
    changing = BM25(NAMES, fuzzy=True)
    changing.add(["zenvora charger"])
    assert changing.retrieve(["zenvoar"], 3) == [["zenvora charger"]]


def test_fuzzy_asks_for_the_whole_and_for_its_words() -> None:
    asked = []

    def similar(text: str, k: int) -> list[Match]:
        asked.append((text, k))
        return [Match(f"{text} {n}", n, 1.0) for n in range(k)]

    assert Fuzzy(similar).retrieve(["a", "b  c b"], 4) == [
        ["a 0", "a 1", "a 2", "a 3"],
        ["b  c b 0", "b 0", "c 0", "b  c b 1"],
    ]
    assert asked == [("a", 4), ("b  c b", 4), ("b", 4), ("c", 4)]


def test_dense_is_exact_and_reuses_places(encoder: Path) -> None:
    names = made_up(120, seed=3)
    dense = Dense(names[:60], encoder)
    dense.remove(names[:50:2])
    dense.add(names[60:])
    left = [name for place, name in enumerate(names) if place >= 50 or place % 2]
    assert len(dense._names) < len(names)
    model = SentenceEncoder(encoder, extra="spelling")
    queries = made_up(130, seed=4)
    cosines = model.vectors(queries) @ model.vectors(left).T
    for row, found in zip(cosines, dense.retrieve(queries, 7), strict=True):
        expected = np.sort(row)[::-1][:7]
        assert row[[left.index(name) for name in found]] == pytest.approx(expected, abs=1e-6)
    assert set(dense.retrieve(["lamp"], 500)[0]) == set(left)
    dense.remove(left)
    assert dense.retrieve(["lamp"], 5) == [[]]


def test_fusion_by_reciprocal_ranks() -> None:
    assert fused([["a", "b"], ["b", "c"]], 3) == ["b", "a", "c"]
    assert fused([["a", "b"], ["c", "d"]], 4) == ["a", "c", "b", "d"]
    assert fused([[], ["a"]], 1) == ["a"]
    both = Hybrid([BM25(NAMES), BM25(NAMES[::-1])])
    assert both.retrieve(["velora"], 1)[0][0].startswith("velora")
    with pytest.raises(InputError, match="retrievers: expected at least one"):
        Hybrid([])


def test_nothing_in_the_catalogue() -> None:
    for fuzzy in (False, True):
        empty = BM25([], fuzzy=fuzzy)
        assert empty.retrieve(["a"], 3) == [[]]
        empty.add(["a b", "🧸"])
        assert empty.retrieve(["a", "🧸"], 3) == [["a b"], []]
        assert BM25(["🧸"], fuzzy=fuzzy).retrieve(["🧸", "a"], 3) == [[], []]


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, encoder: Path) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name=name.partition(".")[0])

    monkeypatch.setattr("importlib.import_module", missing)
    for make in (lambda: BM25(NAMES), lambda: Dense(NAMES, encoder)):
        with pytest.raises(MissingExtra, match=r'run: pip install "pyfastlm\[spelling\]"'):
            make()


@pytest.mark.slow
def test_meaning_with_a_real_model() -> None:
    try:
        dense = Dense(["running shoes", "phone charger", "baby blanket", "kitchen knife"])
    except MissingExtra as reason:
        pytest.skip(str(reason))
    found = dense.retrieve(["sneakers", "battery cable for my mobile", "chef's blade"], 1)
    assert found == [["running shoes"], ["phone charger"], ["kitchen knife"]]
