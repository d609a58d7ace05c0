"""Answers to tasks: what was generated is judged, language by language; batches change nothing."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from tiny_mrt5 import open_gate, tiny_mrt5

from pyfastlm.errors import InputError
from pyfastlm.mrt5.answers import COLUMNS, evaluate_answers, generate_text
from pyfastlm.mrt5.examples import Example, Listed
from pyfastlm.mrt5.readers import Task
from pyfastlm.mrt5.vocabulary import PAD, encode


def task(rows: Sequence[tuple[str, tuple[str, ...], str]]) -> Task:
    examples = [Example(encode(source), encode(truths[0]), language) for source, truths, language in rows]
    longest = max(len(example.labels) for example in examples)
    return Task(Listed(examples), tuple(truths for _, truths, _ in rows), longest)


class Oracle:
    """A model whose answer is its input in upper case."""

    training = False
    device = torch.device("cpu")

    def eval(self) -> None: ...

    def train(self, mode: bool) -> None: ...

    def generate(self, input_ids: Any, attention_mask: Any, max_new_tokens: int, **_: Any) -> Any:
        answers = [bytes(int(i) - 3 for i in row if i > 2).decode().upper() for row in input_ids]
        rows = [np.concatenate([[PAD], encode(answer)])[: max_new_tokens + 1] for answer in answers]
        width = max(map(len, rows))
        return torch.tensor(np.array([np.pad(row, (0, width - len(row))) for row in rows]))


def test_rows_by_hand() -> None:
    oracle: Any = Oracle()
    questions = task(
        [
            ("cat", ("CAT",), "en"),
            ("the cat sat", ("the cat", "cat sat."), "en"),
            ("chat", ("cheval",), "fr"),
        ]
    )
    found = evaluate_answers(oracle, questions, batch_size=2)
    assert found.predictions == ("CAT", "THE CAT ", "CHAT")  # as long as the longest answer at most
    whole, english, french = found.rows
    assert (whole.language, english.language, french.language) == (None, "en", "fr")
    assert (whole.examples, english.examples, french.examples) == (3, 2, 1)
    assert english.accuracy == 0.5
    assert english.exact_match == 1.0  # "cat" is what both normal forms are
    assert english.f1 == 1.0
    assert (french.accuracy, french.exact_match, french.f1) == (0, 0, 0)
    assert whole.exact_match == pytest.approx(2 / 3)
    assert all(len(cells) == len(COLUMNS) for cells in found.cells())


def test_one_language_is_one_row() -> None:
    oracle: Any = Oracle()
    found = evaluate_answers(oracle, task([("a", ("A",), "en")]))
    assert [(row.language, row.accuracy) for row in found.rows] == [(None, 1)]


def test_batches_change_nothing() -> None:
    model = open_gate(tiny_mrt5())
    texts = ["one", "a longer text than the others", "", "zwei", "trois"]
    together = generate_text(model, texts, max_new_bytes=6, batch_size=5)
    assert together == [generate_text(model, [text], max_new_bytes=6)[0] for text in texts]
    assert model.training


def test_mistakes() -> None:
    model = tiny_mrt5()
    with pytest.raises(InputError, match="batch_size: expected at least 1"):
        generate_text(model, ["a"], batch_size=0)
    with pytest.raises(InputError, match="max_new_bytes: expected at least 1"):
        generate_text(model, ["a"], max_new_bytes=0)
    with pytest.raises(InputError, match="batch_size: expected at least 1"):
        evaluate_answers(model, task([("a", ("b",), "")]), batch_size=0)
