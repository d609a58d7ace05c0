"""Fixtures that several rooms share: the real texts, and a tiny causal LM made on the spot."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Tensors of tests are small, and threads would only wait for each other; pytest -n has processes instead.
os.environ.setdefault("OMP_NUM_THREADS", "1")

sys.path.insert(0, str(Path(__file__).parent))  # `import corpus`, `import tiny` from any test

from tiny import save_tiny_lm


@pytest.fixture(scope="session")
def tiny_lm_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that ``pyfastlm.lm.load`` takes: 2-layer random Llama, byte-level BPE, context 128."""
    directory = tmp_path_factory.mktemp("tiny_lm")
    save_tiny_lm(directory)
    return directory


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Any]:
    """The module ``ray``, connected to a cluster of this machine."""
    import clusters

    with clusters.local_cluster() as ray:
        yield ray
