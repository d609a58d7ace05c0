"""The matrix of a Ray cluster is that of the local engine, to the last byte, and so is what is missing."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import clusters
import jobs
import pytest
import samples
from clusters import TWO
from samples import Stub
from tiny import save_tiny_lm

from pyfastlm.errors import InputError
from pyfastlm.selection import Model, bpb_matrix


def test_the_same_matrix(ray_cluster: Any, tmp_path: Path) -> None:
    """Also of a model that is made on the workers, fails on a text, gives NaN and finds no token."""
    rows = samples.sample(150)
    source = samples.write(tmp_path / "in.jsonl.gz", rows)
    bad = {"fails": [rows[4][1]], "nan": [rows[20][1]], "empty": [rows[11][1]]}
    models: Any = [Model("a", "x", scorer=Stub("a")), Model("b", "x", scorer=lambda: Stub("b", **bad))]
    rules: Any = {"missing": "drop_document", "duplicates": "family"}
    bpb_matrix(models, source, tmp_path / "local.parquet", **rules)

    report = bpb_matrix(models, source, tmp_path / "out.parquet", **rules, engine="ray", ray=TWO)

    assert (tmp_path / "out.parquet").read_bytes() == (tmp_path / "local.parquet").read_bytes()
    missing = [(tmp_path / f"{name}.missing.jsonl").read_bytes() for name in ("out", "local")]
    assert missing[0] == missing[1]
    assert report.examples[0].reason == f"ValueError: cannot encode '{rows[4][1][:5]}'"
    assert report.documents == 147
    with pytest.raises(InputError, match="engine: expected local or ray"):
        bpb_matrix(models, source, tmp_path / "out.parquet", engine="spark")  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_workers_and_driver_killed(tmp_path: Path) -> None:
    """The command line with language models: a worker dies in each of them, the driver in the second."""
    for seed in range(2):
        save_tiny_lm(tmp_path / f"lm{seed}", seed=seed)
    (tmp_path / "models.txt").write_text(f"{tmp_path}/lm0 a\n{tmp_path}/lm1 b\n")
    source = samples.write(tmp_path / "in.jsonl.gz", samples.sample(1500, 10))
    output, local = tmp_path / "out.parquet", tmp_path / "local.parquet"
    with jobs.one_thread():
        bpb_matrix(tmp_path / "models.txt", source, local, tokens_per_batch=64)

    def start(address: str) -> "subprocess.Popen[str]":
        options = ["-m", tmp_path / "models.txt", "-o", output, "--tokens-per-batch", "64", "--json"]
        command = [sys.executable, "-c", jobs.MAIN, "select", "bpb", source, *options]
        command += ["--engine", "ray", "--address", address, "--workers", "4"]
        return subprocess.Popen(
            [*map(str, command)], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def wait_for(name: str, driver: "subprocess.Popen[str]") -> None:
        while len([*tmp_path.glob(f"out.parquet.models/*{name}-*.parts/*.part")]) < 10:
            assert driver.poll() is None, driver.communicate()
            time.sleep(0.01)

    with clusters.two_machines() as machines:
        driver = start(machines.address)
        for name in ("lm0", "lm1"):
            wait_for(name, driver)
            clusters.workers(machines)[0].kill()
        driver.kill()
        driver.communicate(timeout=60)
        driver = start(machines.address)
        out, err = driver.communicate(timeout=600)
    assert driver.returncode == 0, err
    assert output.read_bytes() == local.read_bytes()
    assert 0 < json.loads(out)["models"][1]["resumed_documents"] < 1500
