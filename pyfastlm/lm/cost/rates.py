"""How long this machine takes for the parts of a model, each measured by itself in a few seconds."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pyfastlm._threads import num_threads
from pyfastlm.errors import InputError
from pyfastlm.lm.attention import Layout
from pyfastlm.lm.cost.block import Block
from pyfastlm.lm.cost.work import ModelWork
from pyfastlm.lm.engine import PRECISIONS
from pyfastlm.lm.int8 import KEPT
from pyfastlm.lm.packing import Piece
from pyfastlm.lm.runner import TOKENS_PER_BATCH
from pyfastlm.ops import linear
from pyfastlm.ops._int8 import int8_rows, int8_weight
from pyfastlm.ops.int8_linear import int8_linear
from pyfastlm.ops.int8_linear_logp import int8_linear_logp
from pyfastlm.ops.linear_logp import linear_logp

HEAD_COLUMNS = 16384  # of the last projection that are measured; all columns cost the same
LENGTHS = (64, 512)  # of documents, between which attention is a line
LARGE = 2  # numbers in each row that int8 keeps, as in SmolLM2


@dataclass(frozen=True)
class Rates:
    """Seconds of this machine's processor, all threads together, for one token.

    Attributes:
        precision: ``"model"`` or ``"int8"``.
        threads: that it was measured with.
        products: of each layer shape (D, V).
        head: of the last projection.
        rows: of a layer, to round what its products read; 0 but in int8.
        token, pair: of attention in a layer: for the token, and for each that it sees.
        rest: of a layer without all that: norms, activations, sums.
    """

    precision: str
    threads: int
    products: tuple[tuple[tuple[int, int], float], ...]
    head: float
    rows: float
    token: float
    pair: float
    rest: float


def measure_rates(config: Any, work: ModelWork, *, precision: str = "model", seconds: float = 0.3) -> Rates:
    """Time the parts of a model on random numbers: what :class:`pyfastlm.lm.Scorer` calls, in its batches.

    Args:
        config: of the model, of transformers; models of one and two layers and few words are made of it.
        work: of the model, by :func:`model_work`.
        precision: as for :class:`pyfastlm.lm.Scorer`.
        seconds: for each part, at least five runs; the fastest counts.

    Raises:
        InputError: ``precision`` is none.
    """
    if precision not in PRECISIONS:
        raise InputError(f"precision: expected one of {', '.join(PRECISIONS)}, got {precision!r}")
    head_dim, count = work.head
    columns = min(count, HEAD_COLUMNS)
    short, long = (_attention(work, length, seconds) for length in LENGTHS)
    pair = max(0.0, long - short) / ((LENGTHS[1] - LENGTHS[0]) / 2)
    one, two = (Block(config, layers) for layers in (1, 2))
    reads = two.reads() - one.reads()
    rounded = [number * _rows(dim, seconds) for dim, number in reads.items() if precision == "int8"]
    return Rates(
        precision=precision,
        threads=num_threads(),
        products=tuple((shape, _product(shape, precision, seconds)) for shape, _ in work.products),
        head=_head(head_dim, columns, precision, seconds) * count / columns,
        rows=sum(rounded),
        token=short - pair * (LENGTHS[0] + 1) / 2,
        pair=pair,
        rest=max(0.0, _fastest(two.run, seconds) - _fastest(one.run, seconds)) / TOKENS_PER_BATCH,
    )


def _fastest(run: Callable[[], object], seconds: float) -> float:
    """Seconds of the processor, of the fastest of at least five runs."""
    run()
    found: list[float] = []
    while len(found) < 5 or sum(found) < seconds:
        started = time.process_time()
        run()
        found.append(time.process_time() - started)
    return min(found)


def _normal(*size: int) -> torch.Tensor:
    """As hidden states are: a few numbers in each row are much larger, which int8 keeps."""
    x = torch.randn(*size)
    places = torch.randint(size[-1], (*size[:-1], LARGE))
    return x.scatter(-1, places, size[-1] ** 0.5)


@torch.inference_mode()
def _product(shape: tuple[int, int], precision: str, seconds: float) -> float:
    x, weight = _normal(1, TOKENS_PER_BATCH, shape[0]), torch.randn(shape[1], shape[0])
    if precision == "model":
        return _fastest(lambda: linear(x, weight), seconds) / TOKENS_PER_BATCH
    rows, packed = int8_rows(x, keep=KEPT), int8_weight(weight)
    return _fastest(lambda: int8_linear(rows, packed), seconds) / TOKENS_PER_BATCH


@torch.inference_mode()
def _rows(dim: int, seconds: float) -> float:
    x = _normal(1, TOKENS_PER_BATCH, dim)
    return _fastest(lambda: int8_rows(x, keep=KEPT), seconds) / TOKENS_PER_BATCH


@torch.inference_mode()
def _head(dim: int, columns: int, precision: str, seconds: float) -> float:
    hidden, weight = torch.randn(TOKENS_PER_BATCH, dim), torch.randn(columns, dim)
    targets = torch.zeros(TOKENS_PER_BATCH, dtype=torch.int64)
    if precision == "model":
        return _fastest(lambda: linear_logp(hidden, weight, targets), seconds) / TOKENS_PER_BATCH
    packed = int8_weight(weight)
    return _fastest(lambda: int8_linear_logp(hidden, packed, targets), seconds) / TOKENS_PER_BATCH


@torch.inference_mode()
def _attention(work: ModelWork, length: int, seconds: float) -> float:
    """Of one token in one layer, in documents of so many tokens."""
    tokens = np.zeros(length, np.int32)
    batch = [Piece(tokens) for _ in range(TOKENS_PER_BATCH // length)]
    layout = Layout(batch, (), torch.device("cpu"), torch.float32)
    q, k, v = torch.randn(3, 1, work.heads, TOKENS_PER_BATCH, work.head_dim)
    return _fastest(lambda: layout.attend(0, q, k, v, None), seconds) / TOKENS_PER_BATCH
