"""What the tests of the Ray engine share: a cluster for the session, scorers that go wrong on workers."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from samples import Stub

from pyfastlm.errors import MissingExtra
from pyfastlm.lm import TextScore
from pyfastlm.lm.files import RayOptions
from pyfastlm.lm.files.ray_cluster import connected, loaded

TWO = RayOptions(workers=2)


def local_cluster() -> Iterator[Any]:
    """One machine with room for two workers, which import from here; skips where Ray is not installed."""
    try:
        loaded()
    except MissingExtra as reason:
        pytest.skip(str(reason))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
        with connected(TWO) as ray:
            yield ray


class Changing(Stub):
    """Another model on a worker than in the driver."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = state | {"fingerprint": "of another version"}


class Unloadable(Stub):
    """Cannot be had on a worker."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        raise FileNotFoundError("no such file: 'weights'")


class Unsendable(Exception):
    """An error that does not survive pickling."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


class Raising(Stub):
    """Fails on every text."""

    def rolling(self, texts: Sequence[str]) -> list[TextScore]:
        raise Unsendable("this", "that")
