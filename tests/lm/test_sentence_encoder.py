"""Sentence embeddings: vectors of length 1, and nothing on the user's terminal."""

from pathlib import Path

import numpy as np
import pytest
from retrieval import DOCUMENTS, save_tiny_encoder

from pyfastlm.lm.sentence_encoder import SentenceEncoder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("encoder")
    save_tiny_encoder(directory)
    return directory


def test_products_are_cosines(encoder: Path) -> None:
    vectors = SentenceEncoder(encoder, extra="ir").vectors([*DOCUMENTS.values()])
    assert vectors.shape == (len(DOCUMENTS), 32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_it_loads_without_a_sound(encoder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """transformers shows a bar while it loads weights."""
    from transformers.utils import logging

    logging.enable_progress_bar()
    SentenceEncoder(encoder, extra="ir")
    assert capfd.readouterr() == ("", "")
    assert logging.is_progress_bar_enabled()
