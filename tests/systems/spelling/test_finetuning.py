"""Rows to learn from, and what a tiny model learns from them."""

from collections import Counter

import pytest
import torch
from brands import NAMES, UNKNOWN, pairs, weighed

from pyfastlm.errors import InputError
from pyfastlm.lm import LM, Scorer, load
from pyfastlm.spelling import BM25, Generation, Scoring, TrainingRow, finetune, training_rows
from pyfastlm.spelling.prompts import Prompts

PAIRS = pairs(NAMES, 6, seed=0) + pairs(UNKNOWN, 6, seed=1)


@pytest.fixture(scope="module")
def retriever() -> BM25:
    return BM25(NAMES, fuzzy=True)


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> LM:
    from tiny import save_tiny_lm

    directory = tmp_path_factory.mktemp("wide")
    save_tiny_lm(directory, max_position_embeddings=512)
    return load(directory)


@pytest.mark.parametrize("share", [0.0, 0.6, 0.9, 1.0])
def test_rows_are_of_four_kinds_with_the_gold_in_its_share(retriever: BM25, share: float) -> None:
    rows = training_rows(PAIRS, set(NAMES), retriever, gold_share=share, copy_share=0.5, k=4, seed=0)
    assert len(rows) == len(PAIRS) * 3 // 2
    expected = {"noisy": sum(n != g for n, g in PAIRS), "clean": len(PAIRS) // 2}
    kinds = Counter(row.kind for row in rows)
    assert set(kinds) == {"noisy known", "clean known", "noisy unknown", "clean unknown"}
    assert kinds["noisy known"] + kinds["noisy unknown"] == expected["noisy"]
    for row in rows:
        assert row.context is not None
        assert len(row.context) == len(set(row.context)) <= 4
        assert (row.query == row.gold) == row.kind.startswith("clean")
        assert (row.gold in NAMES) == row.kind.endswith(" known")
        assert set(row.context) <= set(NAMES)
    known = [row for row in rows if row.kind.endswith(" known")]
    assert sum(row.gold in (row.context or ()) for row in known) == round(share * len(known))


def test_golds_that_were_not_found_are_put_anywhere(retriever: BM25) -> None:
    class Blind:
        def retrieve(self, queries: list[str], k: int) -> list[list[str]]:
            return [[f"name {n}" for n in range(k)] for _ in queries]

    rows = training_rows(PAIRS, set(NAMES), Blind(), gold_share=1.0, k=4, seed=0)  # type: ignore[arg-type]
    places = Counter(row.context.index(row.gold) for row in rows if row.context and row.gold in NAMES)
    assert set(places) == {0, 1, 2, 3}
    assert all(len(row.context or ()) == 4 for row in rows)


def test_shares_of_copies_and_contexts(retriever: BM25) -> None:
    rows = training_rows(PAIRS, set(NAMES), retriever, copy_share=0.0, context_share=0.25, seed=0)
    assert sorted((row.query, row.gold) for row in rows) == sorted(map(tuple, PAIRS))
    assert sum(row.context is not None for row in rows) == len(PAIRS) // 4
    assert all(
        row.context is None for row in training_rows(PAIRS, set(NAMES), retriever, context_share=0.0, seed=0)
    )
    again = training_rows(PAIRS, set(NAMES), retriever, copy_share=0.0, context_share=0.25, seed=0)
    assert rows == again
    assert rows != training_rows(PAIRS, set(NAMES), retriever, copy_share=0.0, context_share=0.25, seed=1)


def test_what_is_refused(retriever: BM25, wide: LM) -> None:
    for name in ("gold_share", "copy_share", "context_share"):
        for share in (-0.1, 1.1):
            with pytest.raises(InputError, match=f"{name}: expected a number from 0 to 1"):
                training_rows(PAIRS, set(NAMES), retriever, seed=0, **{name: share})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="pairs: expected at least one"):
        training_rows([], set(NAMES), retriever, seed=0)
    with pytest.raises(InputError, match="rows: expected at least one"):
        finetune(wide, [])
    long = TrainingRow("x" * 5000, None, "x", "noisy unknown")
    with pytest.raises(InputError, match=r"rows\[1\]: expected at most 512 tokens"):
        finetune(wide, [long._replace(query="x"), long])


def greedy(lm: LM, prompt: str, most: int) -> str | None:
    """The likeliest token after the other, up to the end of a line; None where none comes."""
    ids = lm.tokenizer(prompt, return_tensors="pt")["input_ids"]
    start = ids.shape[1]
    for _ in range(most):
        best = lm.model(ids).logits[0, -1].argmax()
        ids = torch.cat([ids, best[None, None]], 1)
        text = str(lm.tokenizer.decode(ids[0, start:], skip_special_tokens=True))
        if "\n" in text or best == lm.tokenizer.eos_token_id:
            return text.partition("\n")[0]
    return None


def test_a_model_learns_from_rows(retriever: BM25, wide: LM) -> None:
    rows = [
        row
        for row in training_rows(PAIRS, set(NAMES), retriever, gold_share=1.0, k=2, seed=0)
        if row.gold in NAMES[:2]
    ]
    done = finetune(wide, rows, epochs=6, lr=2e-2, batch_size=8, context_tokens=32)
    assert done.examples == len(rows)
    assert done.loss[-1] < 0.5 * done.loss[0]
    prompts = Prompts(wide.tokenizer, context_tokens=32)
    asked = [(prompts.prompt(row.query, row.context), prompts.completion(row.gold)) for row in rows]
    old, new = (sum(s.logp for s in Scorer(lm).conditional(asked)) for lm in (wide, done.lm))
    assert new > old + 5.0 * len(rows)
    queries, contexts = [row.query for row in rows], [list(row.context or ()) for row in rows]
    candidates = [weighed(row.query, {name: 3.0 for name in NAMES[:2] if name != row.query}) for row in rows]
    for decider in (Generation(done.lm, context_tokens=32), Scoring(done.lm, context_tokens=32)):
        found = decider.decide(queries, candidates, contexts)
        right = sum(each.text == row.gold for each, row in zip(found, rows, strict=True))
        assert right >= 0.8 * len(rows)
        assert decider.counts.read == len(rows)
        assert decider.counts.overruled > 0
    generation = Generation(done.lm)
    some = [*dict.fromkeys(prompt for prompt, _ in asked)][:6]
    some += [prompts.prompt("quite another query", ["playgro"]), "Der Zug"]
    written = generation._written(some, [12] * len(some))
    assert written == [greedy(done.lm, prompt, 12) for prompt in some]
    assert written == [generation._written([prompt], [12])[0] for prompt in some]
    assert len(set(written)) > 1
    # Where it has a token less than it needs, nothing is written, whatever the others may take.
    length = prompts.lengths([f"{written[0]}\n"])[0]
    assert generation._written(some[:2], [length, 12]) == written[:2]
    assert generation._written(some[:2], [length - 1, 12]) == [None, written[1]]
