from collections.abc import Iterator
from pathlib import Path

import corpus
import harness
import pytest
import torch
from hypothesis import settings

from pyfastlm.errors import MissingExtra
from pyfastlm.lm import LM, load

settings.register_profile("house", deadline=None)  # CI machines pause
settings.load_profile("house")


@pytest.fixture(autouse=True)
def _one_thread(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tiny models lose time, and busy machines lose minutes, on a second thread."""
    usual = torch.get_num_threads()
    if request.node.get_closest_marker("slow") is None:
        torch.set_num_threads(1)
    yield
    torch.set_num_threads(usual)


@pytest.fixture(scope="session")
def tiny_lm(tiny_lm_dir: Path) -> LM:
    return load(tiny_lm_dir)


@pytest.fixture(scope="session")
def tiny_exact(tiny_lm_dir: Path) -> LM:
    return harness.load_exact(tiny_lm_dir)


@pytest.fixture(scope="session")
def smollm2() -> LM:
    try:
        return load("smollm2")
    except MissingExtra as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def smollm2_exact(smollm2: LM) -> LM:
    return harness.load_exact("smollm2")


@pytest.fixture(scope="session")
def real_texts() -> None:
    """Skips where the real texts are not to be had."""
    if reason := corpus.missing():
        pytest.skip(reason)
