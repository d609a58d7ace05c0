"""A model on disk that has a chat template."""

from pathlib import Path

import pytest
from preferences import small_lm


@pytest.fixture(scope="session")
def tiny_engine_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that ``HFEngine`` takes."""
    directory = tmp_path_factory.mktemp("engine") / "tiny"
    lm = small_lm(max_position_embeddings=4096)
    lm.model.save_pretrained(directory)
    lm.tokenizer.save_pretrained(directory)
    return directory
