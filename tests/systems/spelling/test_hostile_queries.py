"""Queries that nobody should type, through every retriever and every decider."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from brands import HOSTILE, NAMES, TEN_KILOBYTES, weighed

from pyfastlm.index import TermIndex
from pyfastlm.lm import LM, load
from pyfastlm.spelling import BM25, Channel, Dense, Fuzzy, Generation, Hybrid, Scoring
from pyfastlm.spelling.context import Retriever
from pyfastlm.spelling.context.fuzzy import resembling
from pyfastlm.spelling.deciding import Decider
from pyfastlm.spelling.prompts import Prompts


@pytest.fixture(scope="module")
def lm(tmp_path_factory: pytest.TempPathFactory) -> LM:
    from tiny import save_tiny_lm

    directory = tmp_path_factory.mktemp("wide")
    save_tiny_lm(directory, max_position_embeddings=512)
    return load(directory)


@pytest.fixture(scope="module")
def retrievers(tmp_path_factory: pytest.TempPathFactory) -> list[Retriever]:
    """All that need no model."""
    path = tmp_path_factory.mktemp("names") / "names"
    index = TermIndex.build([(name, 1.0) for name in NAMES], path, similar=True)
    found: list[Retriever] = [BM25(NAMES), BM25(NAMES, fuzzy=True), Fuzzy(resembling(index))]
    return [*found, Hybrid(found)]


@pytest.fixture(scope="module")
def deciders(lm: LM) -> list[Decider]:
    return [Channel(), Scoring(lm, plain=True), Generation(lm), Generation(lm, threshold=0.0)]


@pytest.mark.parametrize("query", HOSTILE.values(), ids=HOSTILE)
def test_hostile_queries_find_names(query: str, retrievers: list[Retriever]) -> None:
    for retriever in retrievers:
        (found,) = retriever.retrieve([query], 3)
        assert set(found) <= set(NAMES)
        assert len(found) == len(set(found)) <= 3


@pytest.mark.parametrize("candidates", [False, True])
@pytest.mark.parametrize("names", [False, True])
def test_hostile_queries_are_left_alone(
    candidates: bool, names: bool, deciders: list[Decider], lm: LM
) -> None:
    queries = [*HOSTILE.values()]
    for decider in deciders:
        found = decider.decide(
            queries,
            [weighed(query, {}) if candidates else [] for query in queries],
            [[query, "playgro"] for query in queries] if names else None,
        )
        for query, correction in zip(queries, found, strict=True):
            if correction.changed:  # only to what a model wrote, near the query
                assert isinstance(decider, Generation)
                assert correction.text == Prompts(lm.tokenizer).shown(correction.text) != ""
            else:
                assert correction.text == query


@pytest.mark.slow
@pytest.mark.parametrize("query", TEN_KILOBYTES.values(), ids=TEN_KILOBYTES)
def test_long_queries(query: str, retrievers: list[Retriever], deciders: list[Decider]) -> None:
    started = time.perf_counter()
    for retriever in retrievers:
        (found,) = retriever.retrieve([query], 3)
        assert set(found) <= set(NAMES)
    for decider in deciders:
        for contexts in (None, [[query, "playgro"]]):
            (correction,) = decider.decide([query], [weighed(query, {})], contexts)
            assert (correction.text, correction.changed) == (query, False)
    assert time.perf_counter() - started < 20


@pytest.mark.slow
@pytest.mark.parametrize("query", [*HOSTILE.values(), *TEN_KILOBYTES.values()])
def test_hostile_queries_by_meaning(query: str, tmp_path: Path) -> None:
    (found,) = Dense(NAMES).retrieve([query], 3)
    assert (len(found) == 3) == bool(query.strip())


def test_spelling_loads_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys, pyfastlm.spelling as s, pyfastlm.spelling.context, pyfastlm.spelling.deciding\n"
        "from pyfastlm.spelling import BM25, Channel, Fuzzy, Hybrid, training_rows, threshold_for_rate\n"
        "from pyfastlm.spelling.prompts import Prompts\n"
        "BM25(['playgro', 'lumineo lamp'], fuzzy=True).retrieve(['lunineo'], 1)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
