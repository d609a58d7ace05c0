"""Arguments of the commands that can score on a Ray cluster."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from pyfastlm._threads import ENVIRONMENT
from pyfastlm.errors import InputError

if TYPE_CHECKING:
    from pyfastlm.lm.files import RayOptions

Engine = Annotated[str, typer.Option(help="local: this process; ray: workers of a Ray cluster.")]
Workers = Annotated[
    str | None,
    typer.Option(
        metavar="N|MIN:MAX",
        help="With ray: workers, each with a model; between two numbers by the work there is. By default 1.",
        show_default=False,
    ),
]
GpusPerWorker = Annotated[
    float | None,
    typer.Option(
        min=0, help="With ray: GPUs of a worker, or a part of one. By default 0.", show_default=False
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        help="With ray: a running cluster, auto or HOST:PORT. By default that of RAY_ADDRESS, or one of this "
        "machine alone.",
        show_default=False,
    ),
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="CPU threads; by default all, with ray 1 for each worker.")
]


def ray_options(
    engine: str,
    workers: str | None,
    gpus_per_worker: float | None,
    address: str | None,
    threads: int | None,
) -> "RayOptions | None":
    """What the arguments ask for; None for the local engine, for which ``threads`` are set here.

    Raises:
        InputError: there is no such engine, or these are not for it.
    """
    from pyfastlm.lm.files.ray_options import RayOptions
    from pyfastlm.lm.files.score import check_engine

    given = {"workers": workers, "gpus-per-worker": gpus_per_worker, "address": address}
    if engine == "ray":
        found = RayOptions(_bounds(workers), threads or 1, gpus_per_worker or 0, address)
        check_engine(engine, found)
        return found
    check_engine(engine, None)
    if unused := [name for name, value in given.items() if value is not None]:
        raise InputError(f"{unused[0]}: only with --engine ray")
    if threads is not None:
        os.environ[ENVIRONMENT] = str(threads)
        import torch

        torch.set_num_threads(threads)
    return None


@contextlib.contextmanager
def clean_output() -> Iterator[None]:
    """Keep what Ray prints while it runs off standard output, which is for the result."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def _bounds(workers: str | None) -> int | tuple[int, int]:
    parts = (workers or "1").split(":")
    if len(parts) > 2 or not all(part.isdecimal() for part in parts):
        raise InputError(f"workers: expected a number, or two as MIN:MAX, got {workers!r}")
    least, *most = map(int, parts)
    return (least, most[0]) if most else least
