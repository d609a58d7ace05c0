"""Arguments that several commands of ``pyfastlm onion`` share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pyfastlm.onion import GRUCopier, RepeatTask

Seed = Annotated[int, typer.Option(min=0, help="Of first weights, batches and corruptions.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Symbols = Annotated[int, typer.Option(min=2, help="Different symbols of the task.")]
Shortest = Annotated[int, typer.Option("--min-len", min=1, help="Symbols of the shortest sequences.")]
Longest = Annotated[int, typer.Option("--max-len", min=1, help="And of the longest.")]
Sequences = Annotated[int, typer.Option("--train", min=1, help="Sequences to train on.")]
Held = Annotated[int, typer.Option("--valid", min=1, help="Others to score on.")]
Model = Annotated[
    Path,
    typer.Argument(help="Directory of onion train, or a checkpoint's model.pt.", show_default=False),
]


def trained(model: Path) -> "GRUCopier":
    """The model of a directory of ``onion train``, or of a file.

    Raises:
        InputError: there is none.
    """
    from pyfastlm.errors import InputError
    from pyfastlm.lm.run_directory import newest_checkpoint
    from pyfastlm.onion import load_model
    from pyfastlm.onion.training import MODEL

    if model.is_dir():
        newest = newest_checkpoint(model)
        if newest is None:
            raise InputError(f"model: there is no checkpoint in {str(model)!r}")
        model = newest / MODEL
    return load_model(model)


def task_of(model: "GRUCopier", n_train: int, n_valid: int) -> "RepeatTask":
    """The task that a model was trained on, by its seed."""
    from pyfastlm.onion import RepeatTask

    shape = model.config
    return RepeatTask(shape.n_symbols, shape.min_len, shape.max_len, n_train, n_valid, shape.seed)
