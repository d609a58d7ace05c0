import memorised
import pytest

from pyfastlm.lm import LM


@pytest.fixture(scope="session")
def knowing() -> LM:
    """Knows :data:`memorised.TEXT`."""
    return memorised.memorising_lm()


@pytest.fixture(scope="session")
def known(knowing: LM) -> list[int]:
    """The tokens of that text."""
    return knowing.tokenizer(memorised.TEXT).input_ids
