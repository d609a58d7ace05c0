"""What the tests of the whole command line share."""

from pathlib import Path

import pytest
import verbs


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the verbs read; to be copied, not written to."""
    folder = tmp_path_factory.mktemp("verbs")
    verbs.made(folder)
    return folder
