"""What one thread of this machine can do; run as a program it measures and prints JSON.

The peak of its multiply-add units is higher than what torch reaches in a product of matrices, so a share of
over 100 % is possible, and means that torch's own product was beaten.
"""

import dataclasses
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from pyfastlm.bench.results import Limits

SIZES = (768, 1536)  # of square matrices
BYTES = 1 << 28  # more than caches hold
STEPS = 1_000_000
ROUNDS = 7


def measure() -> Limits:
    """In this process, on one thread, in some seconds.

    Raises:
        MissingExtra: numba is not installed.
    """
    return Limits(_gflops(), _gigabytes(), _miss_ns())


def _gflops() -> float:
    import torch

    torch.set_num_threads(1)
    found = []
    for size in SIZES:
        a, b, out = (torch.ones(size, size) for _ in range(3))
        found.append(2 * size**3 / _fastest(partial(torch.mm, a, b, out=out)) / 1e9)
    return max(found)


def _gigabytes() -> float:
    import numpy as np

    source, target = np.ones(BYTES, np.uint8), np.ones(BYTES, np.uint8)
    return BYTES / _fastest(lambda: np.copyto(target, source)) / 1e9


def _miss_ns() -> float:
    """Each read says where the next one is, so that none can begin early."""
    import numpy as np

    from pyfastlm._require import require

    places = np.random.default_rng(0).permutation(BYTES // 8)
    following = np.empty_like(places)
    following[places[:-1]] = places[1:]
    following[places[-1]] = places[0]

    def walked(following: Any, steps: int) -> int:
        place = 0
        for _ in range(steps):
            place = following[place]
        return place

    walk = require("numba", "bench").njit(walked)
    return _fastest(lambda: walk(following, STEPS)) / STEPS * 1e9


def _fastest(run: Callable[[], object]) -> float:
    """Seconds of the fastest round, after one that is not counted."""
    run()
    found = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return min(found)


if __name__ == "__main__":
    print(json.dumps(dataclasses.asdict(measure())))
