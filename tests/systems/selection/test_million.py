"""A million domains from a file: memory for the result and a few row groups, not for the matrix."""

import subprocess
import sys
from pathlib import Path

import pytest

MODELS, DOMAINS = 48, 1_000_000
WRITE = """
import sys, json
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
from pyfastlm.selection.matrix import METADATA_KEY
models, domains, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
random = np.random.default_rng(0)
y = random.normal(size=models)
noted = [{"name": f"m{n}", "family": f"f{n // 2}"} for n in range(models)]
fields = [("domain", pa.string()), *((name, pa.int64()) for name in ("tokens", "bytes", "documents"))]
fields += [(one["name"], pa.float64()) for one in noted]
metadata = {METADATA_KEY: json.dumps({"format": 1, "models": noted}).encode()}
schema = pa.schema(fields, metadata=metadata)
with pq.ParquetWriter(path, schema, compression=None) as writer:
    for start in range(0, domains, 1 << 16):
        count = min(1 << 16, domains - start)
        x = random.normal(size=(models, count)) + 0.2 * y[:, None]
        names = pa.array([f"d{n}" for n in range(start, start + count)])
        sizes = [pa.array(random.integers(1, 1000, count)) for _ in range(3)]
        writer.write_table(pa.table([names, *sizes, *map(pa.array, x)], schema=schema))
"""
READ = """
import sys
import numpy as np
from pyfastlm.selection import BenchmarkErrors, BpbMatrix, Options, permutation_test, predict_ranks, select
matrix = BpbMatrix.open(sys.argv[1])
y = np.random.default_rng(0).normal(size=len(matrix.models))
errors = BenchmarkErrors(matrix.models, matrix.families, ("b",), y[:, None])
found = select(matrix, errors, keep=0.1, replicates=12)
assert found.allotted.sum() == int(0.1 * found.tokens.sum())
assert found.basis.replicates == 12 and (found.high > found.low).mean() > 0.99
(one,) = permutation_test(matrix, errors, permutations=40)
assert len(one.q) == len(matrix.domains)
held_out = predict_ranks(matrix, errors, Options(keep=0.1), draws=5, replicates=0).benchmarks[0]
assert held_out.way("selected").spearman > 0.8  # all domains say the same here
line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(line.split()[1]) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
def test_a_million_domains(tmp_path: Path) -> None:
    path = tmp_path / "bpb.parquet"
    subprocess.run([sys.executable, "-c", WRITE, str(MODELS), str(DOMAINS), str(path)], check=True)
    done = subprocess.run([sys.executable, "-c", READ, str(path)], check=True, capture_output=True, text=True)
    print(f"\npeak {done.stdout.strip()} MiB for a matrix of {path.stat().st_size >> 20} MiB")
    assert int(done.stdout) < 1024
