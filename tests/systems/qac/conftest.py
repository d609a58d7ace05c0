"""A small index with known answers, and `pyfastlm qac serve` over it as a process of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import TERMS, served

from pyfastlm.index import TermIndex


@pytest.fixture(scope="session")
def index_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("qac") / "terms.index"
    TermIndex.build(TERMS.items(), path, normalizer="nfkc_casefold")
    return path


@pytest.fixture(scope="module")
def address(index_path: Path) -> Iterator[str]:
    """Of a server at a free port: ``http://127.0.0.1:PORT/``."""
    with served(index_path) as address:
        yield address
