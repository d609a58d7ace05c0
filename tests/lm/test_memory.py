"""Memory must not grow with the number of documents, nor logits with the vocabulary."""

import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status"),
]
CHILD = """
import sys
from pyfastlm.lm import Scorer
text = "Einige Wörter, 図 und mehr. " * 8
scores = Scorer(sys.argv[1]).rolling(text[: 20 + i % 200] for i in range(int(sys.argv[2])))
assert len(scores) == int(sys.argv[2])
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def peak_mib(model: object, documents: int) -> float:
    """Peak resident memory of a fresh process that scores so many documents."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(model), str(documents)], check=True, capture_output=True, text=True
    )
    return int(done.stdout) / 1024


def test_peak_memory_is_flat(tiny_lm_dir):
    few, many = peak_mib(tiny_lm_dir, 500), peak_mib(tiny_lm_dir, 5_000)
    print(f"\npeak RSS: {few:.0f} MiB for 500 documents, {many:.0f} MiB for 5,000")
    assert many < 1.1 * few


def test_no_logits(tmp_path):
    """A batch of 2,048 tokens has 800 MB of logits over 100,000 entries; the projection itself has 19 MB."""
    from tiny import save_tiny_lm

    save_tiny_lm(tmp_path, vocab_size=100_000, max_position_embeddings=4096)
    small, large = peak_mib(tmp_path, 1), peak_mib(tmp_path, 300)
    print(f"\npeak RSS: {small:.0f} MiB for 1 document, {large:.0f} MiB for 300")
    assert large - small < 100
