"""A small catalogue for `pyfastlm spell serve`, and the server as a process of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from brands import NAMES
from serving import served

from pyfastlm.index import TermIndex


@pytest.fixture(scope="session")
def names_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("spelling") / "names.index"
    TermIndex.build(((name, 1.0) for name in NAMES), path, normalizer="nfkc_casefold", similar=True)
    return path


@pytest.fixture
def address(names_path: Path) -> Iterator[str]:
    """Of a server at a free port: ``http://127.0.0.1:PORT/``; names that are added are gone with it."""
    with served(names_path, system="spell") as address:
        yield address
