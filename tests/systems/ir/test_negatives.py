"""Negatives that are none, and nothing held out in what is trained on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from retrieval import DOCUMENTS

from pyfastlm.errors import InputError
from pyfastlm.ir import Collection, HeldOut, Leak, Prompt, RankingExample, mine_negatives, train_reranker
from pyfastlm.ir.generation import SyntheticQuery
from pyfastlm.ir.generation.prompts import Example
from pyfastlm.ir.meaning import by_meaning, encoder_run
from pyfastlm.ir.negatives import Mined

CORPUS = {
    **DOCUMENTS,
    "sail again": "A large piece of cloth, that catches wind and drives a boat!",
    "oar": "a long piece of wood that drives a boat",
    "drum": "an instrument that is beaten",
}


def query(document: str, text: str) -> SyntheticQuery:
    return SyntheticQuery(document, text, 0.0, 0.0)


def mined(*queries: SyntheticQuery, corpus: dict[str, str] = CORPUS, **options: Any) -> Mined:
    return mine_negatives(queries, corpus, **({"k": 2, "margin": 1.0} | options))


def test_negatives_are_found_by_their_words() -> None:
    (example,) = mined(query("sail", "cloth that drives a boat in the wind")).examples
    assert example.documents == ("sail", "oar", "rudder")
    assert example.texts == tuple(CORPUS[name] for name in example.documents)
    assert example.labels == (1, 0, 0)


def test_a_copy_of_the_positive_is_no_negative() -> None:
    found = mined(query("sail", "cloth that drives a boat in the wind"))
    assert "sail again" not in found.examples[0].documents
    assert ("same words", 1) in found.refused
    # Without the guard it would be the hardest negative of all.
    changed = CORPUS | {"sail again": CORPUS["sail again"] + " sailor"}
    (example,) = mined(query("sail", "cloth that drives a boat in the wind"), corpus=changed).examples
    assert "sail again" in example.documents


def test_what_the_judge_takes_for_as_relevant_is_no_negative() -> None:
    asked = query("sail", "drives a boat")
    strict = mined(asked, margin=0.5)
    assert dict(strict.refused)["as relevant"] == 2  # oar and rudder
    assert not {"oar", "rudder"} & {*strict.examples[0].documents}
    assert strict.filled == 2

    def judge(text: str, documents: Any) -> Any:
        assert text == "drives a boat"
        return np.array([{"sail": 1.0, "oar": 0.97}.get(name, 0.1) for name in documents])

    found = mined(asked, margin=0.95, judge=judge)
    assert "oar" not in found.examples[0].documents
    assert "oar" in mined(asked, margin=0.98, judge=judge).examples[0].documents


def test_a_query_in_other_words_gets_negatives_at_random() -> None:
    found = mined(query("violin", "a boat in the wind"))
    assert found.filled == 2
    assert dict(found.refused)["as relevant"] >= 3  # sail, rudder, oar: one of them may be what is meant
    assert not {"sail", "rudder", "oar"} & {*found.examples[0].documents}


def test_what_is_missing_is_drawn() -> None:
    first = mined(query("drum", "beaten"), k=3, seed=1)
    assert first.filled == 3
    assert len({*first.examples[0].documents}) == 4
    assert first == mined(query("drum", "beaten"), k=3, seed=1)
    together = mined(query("violin", "strings"), query("drum", "beaten"), k=3, seed=1)
    assert together.examples[1] == first.examples[0]
    others = {mined(query("drum", "beaten"), k=3, seed=n).examples[0].documents for n in range(5)}
    assert len(others) > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "k: expected"),
        ({"depth": 0}, "depth: expected"),
        ({"margin": 0}, r"margin: expected a number in \(0, 1\]"),
        ({"k": 7}, "corpus: expected 8 or more documents to train on, got 7"),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        mined(query("drum", "beaten"), **options)


def test_a_document_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"queries\[0\]: document 'flute' is not in the corpus"):
        mined(query("flute", "blown"))


@pytest.fixture(scope="module")
def gold() -> Collection:
    qrel = {"q": {"sail": 1, "rudder": 0}}
    return Collection("gold", {"q": "What catches the wind?"}, CORPUS, qrel, pooled=True)


@pytest.fixture(scope="module")
def reported() -> Collection:
    qrel = {"t": {"oar": 1, "drum": 0}}
    return Collection("test", {"t": "which wood drives boats"}, CORPUS, qrel, pooled=True)


def test_what_is_held_out(gold: Collection, reported: Collection) -> None:
    held = HeldOut.of(gold, reported)
    assert held.documents == {"sail", "rudder"}
    assert {*held.sources(CORPUS)} == {"shell", "violin", "oar", "drum"}  # nor the copy of the sail
    assert held.has_query("what CATCHES the wind")
    assert held.has_query("Which wood drives boats?")
    whole = Collection("w", gold.query, CORPUS, {"q": dict.fromkeys(CORPUS, 0) | {"sail": 2}}, pooled=True)
    assert HeldOut.of(whole).documents == {"sail"}
    unpooled = Collection("u", gold.query, CORPUS, gold.qrel, pooled=False)
    assert HeldOut.of(unpooled).documents == {"sail"}


def test_nothing_held_out_is_mined(gold: Collection, reported: Collection) -> None:
    held = HeldOut.of(gold, reported)
    queries = [
        query("sail", "cloth in the wind"),
        query("sail again", "cloth in the wind"),
        query("oar", "wood that drives a boat"),
        query("shell", "what catches the wind"),
        query("drum", "which wood drives boats"),
    ]
    loose = mined(*queries, margin=1.0)
    assert {name for each in loose.examples for name in each.documents} & held.documents
    found = mined(*queries, margin=1.0, held_out=held)
    assert [example.documents[0] for example in found.examples] == ["oar"]
    assert dict(found.dropped)["held out"] == 4
    assert not {name for each in found.examples for name in each.documents} & {*held.documents, "sail again"}
    held.check(found.examples)
    with pytest.raises(Leak, match=r"examples\[0\]: "):
        held.check(loose.examples)


@pytest.mark.parametrize(
    "leak",
    [
        RankingExample("what catches the wind", ("oar", "drum"), ("an oar", "a drum"), (1, 0)),
        RankingExample("Which wood drives boats?", ("oar", "drum"), ("an oar", "a drum"), (1, 0)),
        RankingExample("wood", ("sail", "drum"), ("x", "a drum"), (1, 0)),
        RankingExample("wood", ("oar", "rudder"), ("an oar", "x"), (1, 0)),
        RankingExample("wood", ("oar", "new"), ("an oar", CORPUS["sail again"]), (1, 0)),
    ],
)
def test_training_refuses_what_is_held_out(
    leak: RankingExample, gold: Collection, reported: Collection, tiny_encoder: Path
) -> None:
    held = HeldOut.of(gold, reported)
    good = RankingExample("wood", ("oar", "drum"), ("an oar", "a drum"), (1, 0))
    with pytest.raises(Leak, match=r"examples\[1\]: "):
        train_reranker([good, leak], base=tiny_encoder, held_out=held)
    train_reranker([good], base=tiny_encoder, held_out=held)
    train_reranker([good, leak], base=tiny_encoder)  # so it is the guard that refused


def test_prompts_do_not_quote_gold_queries(gold: Collection) -> None:
    held = HeldOut.of(gold)
    held.check_prompt(Prompt("Write a question about the wind."))
    for bad in (
        Prompt('Write questions such as "what catches the wind?"'),
        Prompt("Write a question.", examples=(Example("a kite", "What catches the wind?"),)),
        Prompt("Write a question.", examples=(Example(CORPUS["rudder"], "how to steer"),)),
    ):
        with pytest.raises(Leak, match="prompt: it quotes a held-out query or document"):
            held.check_prompt(bad)


class Letters:
    """An encoder whose vectors count letters."""

    def vectors(self, texts: Any, *, progress: bool = False) -> Any:
        counts = np.array([[text.count(letter) for letter in "abcdefgh"] for text in texts], np.float32)
        return counts / np.maximum(1e-9, np.linalg.norm(counts, axis=1, keepdims=True))


def test_a_judge_by_meaning_and_its_run(gold: Collection) -> None:
    encoder: Any = Letters()
    judge = by_meaning(encoder, CORPUS)
    vectors = encoder.vectors(["abc", CORPUS["oar"], CORPUS["drum"]])
    assert judge("abc", ["oar", "drum"]) == pytest.approx(vectors[1:] @ vectors[0], abs=1e-6)
    run = encoder_run(gold, encoder)["q"]
    assert [*run] == ["sail", "rudder"]
    assert [*run.values()] == pytest.approx(judge(gold.query["q"], ["sail", "rudder"]), abs=1e-6)
    found = mined(query("sail", "drives a boat"), judge=judge, margin=0.9)
    assert found.examples
