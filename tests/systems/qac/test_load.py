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


def test_one_client_does_not_wait_for_acknowledgements(address: str) -> None:
    """Where the system holds the body back until the header is acknowledged, most answers take 40 ms."""
    load = type_at(address, list(TERMS), clients=1, seconds=1, pause=0.0)
    assert load.errors == []
    assert load.percentile(75) < 30
