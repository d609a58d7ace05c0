"""`pyfastlm qac serve` under load on this machine's own loopback: two hundred clients for thirty seconds.

    python -m pytest -s benchmarks/bench_qac_server.py

The server is a process of its own, of one thread, over some 1.8 million real terms; the clients are this
process. They type searches drawn by their counts, a key at a time over one connection each, and send their
last four searches along. "People" pause 150 ms on average between an answer and the next key; "as fast as it
goes" does not, so that its latency is the length of the queue. There are no peers here: the index has its own
benchmark. PYFASTLM_BENCH_SECONDS sets another time.
"""

import os
import random
from collections.abc import Iterator

import pytest
import term_corpus
from serving import served
from typists import type_at

from pyfastlm.index import TermIndex

SECONDS = float(os.environ.get("PYFASTLM_BENCH_SECONDS", "30"))
CLIENTS = 200
pytestmark = [pytest.mark.timeout(SECONDS + 120), pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("qac") / "terms.index"
    TermIndex.build(term_corpus.terms().items(), path, normalizer="nfkc_casefold", duplicates="max")
    with served(path) as address:
        yield address


@pytest.mark.parametrize(("name", "pause"), [("people", 0.15), ("as fast as it goes", 0.0)])
def test_load(address: str, capsys: pytest.CaptureFixture[str], name: str, pause: float) -> None:
    terms = term_corpus.terms()
    searches = random.Random(1).choices(list(terms), list(terms.values()), k=20_000)
    before = os.getloadavg()[0]
    load = type_at(address, searches, clients=CLIENTS, seconds=SECONDS, pause=pause)
    with capsys.disabled():
        print(f"\n{CLIENTS} clients, {name}: {load}; load average before {before:.1f}")
    assert load.errors == []
