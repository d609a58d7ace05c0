"""Lets benchmarks use the texts and the judges of the tests: `import corpus`, `import harness`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
