"""What tests of this system share: the data that is not in the repository, and small files in its forms."""

from pathlib import Path

import pytest
from retrieval import save_tiny_encoder, wordnet_files

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
    for name, text in wordnet_files(40).items():
        (directory / name).write_text(text)
    return directory
