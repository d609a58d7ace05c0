"""The seconds that rates are of, which are only there where a benchmark is measured."""

from typing import Any


def least(benchmark: Any) -> float:
    """Seconds of the fastest round; NaN under ``--benchmark-disable``."""
    return benchmark.stats.stats.min if benchmark.stats else float("nan")
