"""A matrix that is mapped costs a block of memory, not its size."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
CHILD = """
import sys
import numpy as np
from pyfastlm.selection import blocks, spearmanr
y = np.random.default_rng(0).random(90)
spearmanr(np.random.default_rng(0).random((90, 5000), np.float32), y)
def peak():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
before = peak()
found = spearmanr(blocks(sys.argv[1]), y)
assert found[0] == 1.0 and np.isnan(found[1:]).all()
print(peak() - before)
"""


def added_mib(path: Path, domains: int) -> float:
    """MiB that estimating 90 models x ``domains`` from a file adds to the peak of a fresh process."""
    x = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(90, domains))
    x[:, 0] = np.random.default_rng(0).random(90)  # the rest is a hole in the file, and all ties
    del x
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)], check=True, capture_output=True, text=True
    )
    return int(done.stdout) / 1024


def test_a_mapped_matrix_is_never_in_memory(tmp_path: Path) -> None:
    size = 90 * 400_000 * 4 / 2**20
    added = added_mib(tmp_path / "x.npy", 400_000)
    assert added < size / 2
    print(f"\n{added:.0f} MiB for a matrix of {size:.0f} MiB")
