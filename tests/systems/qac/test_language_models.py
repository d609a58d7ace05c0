"""Engines with a language model, on a tiny one: formulas, limits and determinism."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from searches import TERMS, sample_rows

from pyfastlm.errors import InputError
from pyfastlm.index import TermIndex
from pyfastlm.lm import LM, Scorer, load
from pyfastlm.lm.vocabulary import token_bytes
from pyfastlm.qac import Generator, Popularity, Query, SessionReranker, finetune, one_prefix
from pyfastlm.qac.prompts import completion, prompt
from pyfastlm.qac.reranker import Weights

QUERIES = [
    Query("r", ("running belt", "shoes")),
    Query("re", ()),
    Query("red s", ("red hat",)),
    Query("phone", ("charger",)),
    Query("日", ("parasol",)),
]


@pytest.fixture(scope="module")
def lm(tiny_lm_dir: Path) -> LM:
    return load(tiny_lm_dir)


@pytest.fixture(scope="module")
def tuned(lm: LM) -> LM:
    """It ends its terms, which random weights hardly ever do."""
    return finetune(lm, one_prefix(sample_rows(100, seed=1)), epochs=2, lr=1e-2).lm


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> TermIndex:
    return TermIndex.build(TERMS.items(), tmp_path_factory.mktemp("models") / "terms")


def test_prompts() -> None:
    assert prompt(()) == "Next search:"
    assert prompt(["a", "b  c\n"], "d ") == "Past searches: a; b c\nTyped: d \nNext search:"
    assert prompt([str(n) for n in range(9)]).startswith("Past searches: 4; 5; 6; 7; 8\n")
    assert completion("red dress") == " red dress\n"


def test_the_bytes_of_tokens(lm: LM) -> None:
    found = token_bytes(lm.tokenizer)
    text = "Größe  日本\n x"
    assert b"".join(found[token] or b"?" for token in lm.tokenizer(text)["input_ids"]) == text.encode()
    assert found[lm.tokenizer.eos_token_id] is None
    assert {bytes([byte]) for byte in range(256)} <= set(found)


def test_a_reranker_weighs_counts_and_two_log_probabilities(lm: LM, index: TermIndex) -> None:
    reranker = SessionReranker(lm, weights=Weights(count=0.5, context=2.0, plain=-1.5))
    candidates = index.complete("r", 10)
    past = ["running belt", "shoes"]
    found = reranker.rerank(candidates, past)
    scorer = Scorer(lm)
    expected = {}
    for term, count in candidates:
        inside, plain = scorer.conditional([(prompt(past), completion(term)), (prompt(()), completion(term))])
        expected[term] = 0.5 * np.log1p(count) + 2.0 * inside.logp - 1.5 * plain.logp
    assert dict(found) == pytest.approx(expected, abs=1e-3)
    assert [term for term, _ in found] == sorted(expected, key=lambda term: -expected[term])
    assert reranker.rerank(candidates, past, 3) == found[:3]


def test_nothing_moves_without_a_context(lm: LM, index: TermIndex) -> None:
    reranker = SessionReranker(lm, Popularity(index))
    candidates = index.complete("r", 10)
    assert reranker.rerank(candidates, ()) == candidates
    assert reranker.rerank([], ["a"]) == []
    assert reranker.answers([QUERIES[1]], 5) == Popularity(index).answers([QUERIES[1]], 5)


def test_a_reranker_as_an_engine_orders_more_than_it_returns(lm: LM, index: TermIndex) -> None:
    base = Popularity(index)
    reranker = SessionReranker(lm, base, candidates=8)
    found = reranker.answers(QUERIES, 2)
    for query, answers in zip(QUERIES, found, strict=True):
        (offered,) = base.candidates([query], 8)
        assert answers == [term for term, _ in reranker.rerank(offered, query.past, 2)]
    assert reranker.answers(QUERIES[::-1], 2) == found[::-1]
    with pytest.raises(InputError, match="base: expected an engine that offers candidates"):
        SessionReranker(lm).answers(QUERIES, 2)


def test_fitted_weights_are_those_of_the_greatest_likelihood(lm: LM, index: TermIndex) -> None:
    rows = [row for row in one_prefix(sample_rows(120, seed=0)) if row.past]
    queries = [Query(row.prefixes[0], tuple(search.term for search in row.past)) for row in rows]
    terms = [row.term for row in rows]
    reranker = SessionReranker(lm, Popularity(index))

    def likelihood(weights: Weights) -> float:
        total, seen = 0.0, 0
        offered = Popularity(index).candidates(queries, 30)
        features = reranker.features(queries, offered)
        for of_query, found, term in zip(features, offered, terms, strict=True):
            names = [name for name, _ in found]
            if term in names:
                scores = torch.from_numpy(
                    of_query @ np.array([weights.count, weights.context, weights.plain])
                )
                total += float(scores.log_softmax(0)[names.index(term)])
                seen += 1
        return total / seen - 1e-3 * (weights.count**2 + weights.context**2 + weights.plain**2)

    before = reranker.weights
    best = reranker.fit(queries, terms)
    assert reranker.weights == best
    assert likelihood(best) > likelihood(before) + 0.1
    rng = np.random.default_rng(0)
    for change in rng.normal(scale=0.05, size=(10, 3)):
        near = Weights(best.count + change[0], best.context + change[1], best.plain + change[2])
        assert likelihood(best) >= likelihood(near)


def test_weights_need_a_term_among_the_candidates(lm: LM, index: TermIndex) -> None:
    with pytest.raises(InputError, match="queries: expected at least one with a context"):
        SessionReranker(lm, Popularity(index)).fit([Query("r", ()), Query("r", ("a",))], ["red dress", "rat"])


def test_written_terms_begin_with_what_was_typed(tuned: LM) -> None:
    found = Generator(tuned).answers(QUERIES, 4)
    for query, answers in zip(QUERIES, found, strict=True):
        assert len(answers) == len(set(answers)) <= 4
        for term in answers:
            assert term.startswith(query.prefix)
            assert "\n" not in term
    assert sum(map(len, found)) >= 8
    assert Generator(tuned).answers(QUERIES, 4) == found
    assert all(len(answers) <= 1 for answers in Generator(tuned).answers(QUERIES, 1))


def test_written_terms_come_by_their_log_probability(tuned: LM) -> None:
    scorer = Scorer(tuned)
    compared = 0
    for query in QUERIES:
        (answers,) = Generator(tuned, typed=True).answers([query], 6)
        context = prompt(query.past, query.prefix)
        logp = [score.logp for score in scorer.conditional([(context, completion(a)) for a in answers])]
        # The beams may spell a term by other tokens than the tokenizer, under which it is less likely.
        compared += sum(a >= b - 0.5 for a, b in itertools.pairwise(logp))
    assert compared >= 10


def test_inside_the_dictionary_only_its_terms_are_written(lm: LM, tuned: LM, index: TermIndex) -> None:
    for model in (lm, tuned):
        found = Generator(model, index=index).answers(QUERIES, 6)
        for query, answers in zip(QUERIES, found, strict=True):
            assert set(answers) <= {term for term, _ in index.complete(query.prefix, 100)}
        assert all(found)
    assert Generator(tuned, index=index).answers([Query("zzz", ("a",))], 6) == [[]]


def test_all_terms_of_a_short_list_are_found(lm: LM, tmp_path: Path) -> None:
    index = TermIndex.build([(term, 1.0) for term in ("ab", "abc", "a b", "ac", "b")], tmp_path / "t")
    ((*found,),) = Generator(lm, index=index).answers([Query("a", ())], 8)
    assert sorted(found) == ["a b", "ab", "abc", "ac"]


def test_a_batch_is_answered_like_its_queries_one_by_one(tuned: LM, index: TermIndex) -> None:
    generator = Generator(tuned, index=index)
    together = generator.answers(QUERIES, 3)
    assert together == [generator.answers([query], 3)[0] for query in QUERIES]


def test_without_context_the_past_is_not_read(tuned: LM) -> None:
    generator = Generator(tuned, context=False)
    queries = [Query("re", past) for past in ((), ("a",), ("b", "c"))]
    first, *others = generator.answers(queries, 3)
    assert others == [first, first]
    assert first


def test_fine_tuning_learns_the_terms_and_leaves_the_model(lm: LM) -> None:
    before = {name: weight.clone() for name, weight in lm.model.state_dict().items()}
    rows = one_prefix(sample_rows(100, seed=1))
    done = finetune(lm, rows, epochs=2, lr=1e-2, batch_size=16, seed=0)
    assert done.examples == len(rows)
    assert done.steps == round(2 * len(rows) / 16)
    assert done.loss[-1] < 0.7 * done.loss[0]
    assert all(torch.equal(weight, before[name]) for name, weight in lm.model.state_dict().items())
    asked = [
        (prompt([search.term for search in row.past], row.prefixes[0]), completion(row.term)) for row in rows
    ]
    scores = [
        np.mean([s.logp / s.n_tokens for s in Scorer(model).conditional(asked)]) for model in (lm, done.lm)
    ]
    assert scores[1] > scores[0] + 1.0
    answers = Generator(done.lm, typed=True).answers([Query("red", ())], 5)[0]
    assert set(answers) & set(TERMS)
    again = finetune(lm, rows, epochs=2, lr=1e-2, batch_size=16, seed=0)
    assert again.loss == done.loss


def test_fine_tuning_needs_rows(lm: LM) -> None:
    with pytest.raises(InputError, match="rows: expected at least one"):
        finetune(lm, [])
