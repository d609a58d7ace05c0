"""One set of weights, run in several ways: the baselines of a comparison at equal deletion."""

import contextlib
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from pyfastlm.mrt5.gate import SEPARATORS

if TYPE_CHECKING:
    from pyfastlm.mrt5.model import MrT5ForConditionalGeneration


def variant(model: "MrT5ForConditionalGeneration", **changes: Any) -> "MrT5ForConditionalGeneration":
    """A model for evaluation with the weights of ``model``, in the same memory, and another configuration.

    A gate that the changed configuration does not have is left out.

    Raises:
        InputError: a value is out of range.
    """
    config = type(model.config).from_dict(model.config.to_dict() | changes)
    with torch.device("meta"):
        twin = type(model)(config)
    missing, _ = twin.load_state_dict(model.state_dict(), strict=False, assign=True)
    assert not missing, f"weights that the model does not have: {missing}"
    return cast("MrT5ForConditionalGeneration", twin.eval())


class Segments:
    """Lengths of the segments of inputs, from which the fraction that ``fixed`` deletes is known."""

    def __init__(self) -> None:
        self._lengths: Counter[int] = Counter()

    def add(self, rows: Sequence[NDArray[np.int64]]) -> None:
        """Count the segments of each row of ids, [L] without pads."""
        for ids in rows:
            starts = np.flatnonzero(np.isin(ids, SEPARATORS))
            ends = np.concatenate([starts[starts > 0], [len(ids)]])
            self._lengths.update(np.diff(ends, prepend=0).tolist())

    def amount(self, deleted: float) -> float:
        """The ``fixed_deletion_amount`` that deletes most nearly the fraction ``deleted`` of all ids.

        The fraction is a step function of the amount, so not every one can be had.
        """
        lengths = np.array(list(self._lengths))
        counts = np.array(list(self._lengths.values()))
        low, high = 0.0, 1.0
        for _ in range(40):
            middle = (low + high) / 2
            if self._deleted(middle, lengths, counts) < deleted:
                low = middle
            else:
                high = middle
        return min((low, high), key=lambda amount: abs(self._deleted(amount, lengths, counts) - deleted))

    @staticmethod
    def _deleted(amount: float, lengths: NDArray[np.int64], counts: NDArray[np.int64]) -> float:
        kept = np.ceil((1 - amount) * lengths)
        return 1 - float((kept * counts).sum() / (lengths * counts).sum())


@contextlib.contextmanager
def evaluating(*models: "MrT5ForConditionalGeneration") -> Any:
    """Evaluation mode without gradients; each model gets its own mode back."""
    before = [model.training for model in models]
    try:
        with torch.no_grad():
            for model in models:
                model.eval()
            yield
    finally:
        for model, training in zip(models, before, strict=True):
            model.train(training)
