"""Many clients at once: every one gets its own answers."""

import pytest
from serving import TERMS
from typists import type_at


@pytest.mark.slow
def test_two_hundred_clients_get_their_answers(address: str) -> None:
    load = type_at(address, list(TERMS), clients=200, seconds=5, pause=0.0)
    print(load)
    assert load.errors == []
    assert len(load.milliseconds) > 200
