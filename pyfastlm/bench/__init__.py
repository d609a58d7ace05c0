"""All benchmarks of a clone in one report: ours beside its peers, beside what the machine can do, and beside
an earlier report.

What runs is pytest-benchmark on the files ``benchmarks/bench_*.py``, a process each. What is compared is
always the ratio to a peer that was measured in the same process.
"""

from pyfastlm.bench.files import read
from pyfastlm.bench.regressions import Change, Comparison, compare
from pyfastlm.bench.results import Group, Limits, Report, Suite, Timing
from pyfastlm.bench.running import run
from pyfastlm.bench.writing import write

__all__ = [
    "Change",
    "Comparison",
    "Group",
    "Limits",
    "Report",
    "Suite",
    "Timing",
    "compare",
    "read",
    "run",
    "write",
]
