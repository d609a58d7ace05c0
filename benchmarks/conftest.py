"""Lets benchmarks use the texts and the judges of the tests, and what lies beside them: `import corpus`."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parent)]
