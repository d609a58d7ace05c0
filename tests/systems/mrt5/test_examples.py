"""Examples, their order, and the tensors of a batch."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pyfastlm.errors import InputError
from pyfastlm.mrt5.examples import Example, Listed, collate
from pyfastlm.mrt5.order import Order
from pyfastlm.mrt5.texts import read_texts


def example(*ids: int, labels: tuple[int, ...] = (1,), language: str = "") -> Example:
    return Example(np.array(ids), np.array(labels), language)


def test_collate_by_hand() -> None:
    batch = collate([example(5, 6, 1, labels=(9, 1)), example(7, 1, labels=(8, 9, 9, 1))])
    assert {name: tensor.tolist() for name, tensor in batch.items()} == {
        "input_ids": [[5, 6, 1], [7, 1, 0]],
        "attention_mask": [[1, 1, 1], [1, 1, 0]],
        "labels": [[9, 1, -100, -100], [8, 9, 9, 1]],
        "decoder_input_ids": [[0, 9, 1, 0], [0, 8, 9, 9]],
    }
    assert {tensor.dtype for tensor in batch.values()} == {torch.int64}
    with pytest.raises(InputError, match="examples: expected at least one, got none"):
        collate([])


def test_listed() -> None:
    listed = Listed([example(5, 1), example(6, 1)])
    assert len(listed) == 2
    assert [int(one.input_ids[0]) for one in listed.examples(7, np.array([1, 0]))] == [6, 5]
    with pytest.raises(InputError, match="examples: expected at least one, got none"):
        Listed([])


class Numbered:
    """Data whose examples say which they are."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def examples(self, epoch: int, indices: object) -> list[Example]:
        return [example(epoch, int(index)) for index in indices]  # type: ignore[attr-defined]


def taken(order: Order, start: int, count: int) -> list[tuple[int, ...]]:
    return [tuple(one.input_ids.tolist()) for one in order.take(start, count)]


def test_an_epoch_is_every_example_once_in_an_order_of_its_own() -> None:
    order = Order(Numbered(7), seed=1)
    epochs = [taken(order, 7 * epoch, 7) for epoch in range(3)]
    for epoch, found in enumerate(epochs):
        assert sorted(found) == [(epoch, index) for index in range(7)]
    assert len({tuple(index for _, index in found) for found in epochs}) == 3


def test_a_position_decides_whatever_was_taken_before() -> None:
    whole = taken(Order(Numbered(5), seed=3), 0, 60)
    order = Order(Numbered(5), seed=3)
    for start, count in ((40, 20), (0, 3), (3, 30), (59, 1)):
        assert taken(order, start, count) == whole[start : start + count]
    assert taken(Order(Numbered(5), seed=4), 0, 60) != whole


def test_texts_of_files(tmp_path: Path) -> None:
    (tmp_path / "de.part1.txt").write_text("eins\n\n  \nzwei\n", "utf-8")
    (tmp_path / "more.jsonl").write_text('{"body": "drei"}\n', "utf-8")
    (tmp_path / "fr.jsonl").write_text('{"body": "un"}\n', "utf-8")
    sources = [str(tmp_path / "de.part1.txt"), f"de={tmp_path / 'more.jsonl'}", str(tmp_path / "fr.jsonl")]
    found = read_texts(sources, text_key="body")
    assert {language: list(texts) for language, texts in found.items()} == {
        "de": ["eins", "zwei", "drei"],
        "fr": ["un"],
    }
    with pytest.raises(InputError, match="sources: expected at least one file"):
        read_texts([])
    with pytest.raises(InputError, match="inputs: cannot read"):
        read_texts([f"de={tmp_path / 'no.txt'}"])
    with pytest.raises(InputError, match=r"sources: '.*fr\.jsonl', row 1: no key 'text'"):
        list(read_texts([str(tmp_path / "fr.jsonl")])["fr"])
