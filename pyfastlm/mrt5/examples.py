"""One example of any task, and how examples become the tensors of a batch."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.mrt5.vocabulary import PAD

IGNORED = -100  # label that no loss counts


class Example(NamedTuple):
    """``input_ids`` [L] and ``labels`` [T], int64, both ending in EOS; ``language`` is free text."""

    input_ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    language: str = ""


class Data(Protocol):
    """What ``train`` and ``evaluate`` read: numbered examples, the same whenever epoch and number are."""

    def __len__(self) -> int: ...

    def examples(self, epoch: int, indices: Sequence[int] | NDArray[np.int64]) -> list[Example]:
        """The examples of these numbers, from 0 to ``len - 1``, in their order."""
        ...


class Listed:
    """Examples that are the same in every epoch, such as those of a file.

    Raises:
        InputError: no example.
    """

    def __init__(self, examples: Sequence[Example]) -> None:
        if not examples:
            raise InputError("examples: expected at least one, got none")
        self._examples = examples

    def __len__(self) -> int:
        return len(self._examples)

    def examples(self, epoch: int, indices: Sequence[int] | NDArray[np.int64]) -> list[Example]:
        """The examples of these numbers; ``epoch`` changes nothing."""
        return [self._examples[int(index)] for index in indices]


def collate(examples: Sequence[Example]) -> dict[str, Tensor]:
    """A batch that the model takes as keywords; also a ``data_collator`` of a Hugging Face ``Trainer``.

    Returns:
        int64 tensors: ``input_ids`` [B, L] padded with 0, ``attention_mask`` [B, L], ``labels`` [B, T]
        padded with -100, ``decoder_input_ids`` [B, T]: the labels one place later, 0 first.

    Raises:
        InputError: no example.
    """
    if not examples:
        raise InputError("examples: expected at least one, got none")
    input_ids = _padded([example.input_ids for example in examples], PAD)
    labels = _padded([example.labels for example in examples], IGNORED)
    lengths = np.array([len(example.input_ids) for example in examples])
    mask = np.arange(input_ids.shape[1]) < lengths[:, None]
    shifted = np.full_like(labels, PAD)
    shifted[:, 1:] = np.where(labels[:, :-1] == IGNORED, PAD, labels[:, :-1])
    return {
        "input_ids": torch.from_numpy(input_ids),
        "attention_mask": torch.from_numpy(mask.astype(np.int64)),
        "labels": torch.from_numpy(labels),
        "decoder_input_ids": torch.from_numpy(shifted),
    }


def _padded(rows: list[NDArray[np.int64]], fill: int) -> NDArray[np.int64]:
    padded = np.full((len(rows), max(map(len, rows))), fill, np.int64)
    for target, row in zip(padded, rows, strict=True):
        target[: len(row)] = row
    return padded
