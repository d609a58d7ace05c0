"""What tests of this system share: the data that is not in the repository, and small files in its forms."""

from pathlib import Path

import pytest
from retrieval import save_tiny_encoder

SHARED = Path(__file__).parents[4] / "shared" / "data" / "ir"


@pytest.fixture(scope="session")
def shared_ir() -> Path:
    """The directory of shared data."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared/data/ir")
    return SHARED


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an encoder of random weights."""
    directory = tmp_path_factory.mktemp("tiny_encoder")
    save_tiny_encoder(directory)
    return directory


@pytest.fixture(scope="session")
def wordnet_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in the form of WordNet's: 40 nouns of two meanings, in four groups."""
    directory = tmp_path_factory.mktemp("wordnet")
    licence = "  1 This line is the licence.\n"
    groups = [f"{group:08d} 03 n 01 group{group} 0 000 | the group {group}\n" for group in range(4)]
    senses = [
        f"{100 + number:08d} 05 n 01 {_name(number // 2)} 0 001 @ {number % 4:08d} n 0000 | "
        f'thing {number}; "it is a {_name(number // 2)}"\n'
        for number in range(80)
    ]
    words = [f"{_name(n)} n 2 1 @ 2 1 {100 + 2 * n:08d} {101 + 2 * n:08d}\n" for n in range(40)]
    (directory / "data.noun").write_text("".join([licence, *groups, *senses]))
    (directory / "index.noun").write_text("".join([licence, *words]))
    return directory


def _name(number: int) -> str:
    return "noun" + chr(97 + number // 26) + chr(97 + number % 26)
