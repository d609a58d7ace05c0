"""Checkpoints of a training run: a model as ``save_pretrained`` writes it, and the state of its training.

Nothing of randomness or of the place in the data is kept, because both are functions of seed and step.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from pyfastlm.lm import run_directory
from pyfastlm.lm.loading import quiet
from pyfastlm.lm.run_directory import RunDirectory, newest_checkpoint

if TYPE_CHECKING:
    from pyfastlm.mrt5.model import MrT5ForConditionalGeneration

OPTIMIZER, STATE = "optimizer.pt", "training.json"


class Run(RunDirectory):
    """An open, locked training directory, of which only the newest checkpoint is kept; get one from
    :func:`locked`."""

    def save(
        self,
        step: int,
        model: "MrT5ForConditionalGeneration",
        optimizer: torch.optim.Optimizer,
        state: dict[str, Any],
    ) -> None:
        """Write the checkpoint of ``step``, durably, and remove the one before.

        Raises:
            OSError: the disk is full, or the directory cannot be written; the checkpoint before is intact.
        """

        def fill(target: Path) -> None:
            with quiet():
                model.save_pretrained(target)
            torch.save(optimizer.state_dict(), target / OPTIMIZER)
            (target / STATE).write_text(json.dumps(state), "utf-8")

        self.write(step, fill)

    def load(self, model: "MrT5ForConditionalGeneration", optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """Put the newest checkpoint into model and optimiser; the state that :meth:`save` was given."""
        path = newest_checkpoint(self.directory)
        assert path is not None
        with quiet():
            model.load_state_dict(type(model).from_pretrained(path).state_dict())
        optimizer.load_state_dict(torch.load(path / OPTIMIZER, map_location=model.device, weights_only=True))
        state: dict[str, Any] = json.loads((path / STATE).read_bytes())
        return state


@contextlib.contextmanager
def locked(out: "str | os.PathLike[str]") -> Iterator[Run]:
    """Make or open the directory of a run and hold it alone; a dead process holds nothing.

    Raises:
        InputError: the directory holds other things, cannot be made, or another process trains in it.
    """
    with run_directory.locked(out, "out") as directory:
        yield Run(directory.directory)
