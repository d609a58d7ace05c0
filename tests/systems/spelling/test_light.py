"""Data and evaluation need neither torch nor the other heavy packages of this system."""

import subprocess
import sys

import pyfastlm.spelling

HEAVY = ("torch", "transformers", "pyarrow", "bm25s", "datasets", "rich")
PROBE = f"""
import sys
import pyfastlm.spelling as spelling
assert "numpy" not in sys.modules
from pyfastlm.spelling import {
    ", ".join(
        [
            "DoNothing",
            "Speller",
            "brand_like",
            "candidate_recall",
            "curve",
            "difference",
            "evaluate",
            "misspell",
            "queries",
            "read_aligned",
            "read_catalogue",
            "read_pairs",
            "read_report",
            "split",
            "train",
        ]
    )
}
report = evaluate(DoNothing(), misspell(["wireless headphones"]), ["lamp"])
print(*(name for name in {HEAVY!r} if name in sys.modules))
"""


def test_nothing_heavy_is_loaded() -> None:
    run = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_all_names_are_there() -> None:
    names = pyfastlm.spelling.__all__
    assert sorted(names, key=lambda name: (name[0].islower(), name)) == names
    assert all(getattr(pyfastlm.spelling, name).__doc__ for name in names)
    assert set(names) == set(dir(pyfastlm.spelling))
