"""The matrix of a Ray cluster is that of the local engine, to the last byte, and so is what is missing."""

import json
from pathlib import Path
from typing import Any

import jobs
import pytest
import samples
from clusters import TWO
from samples import Stub
from tiny import save_tiny_lm

from pyfastlm.cli.app import run
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


def test_command_line(ray_cluster: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_tiny_lm(tmp_path / "lm")
    (tmp_path / "models.txt").write_text(f"{tmp_path}/lm a\n")
    source = samples.write(tmp_path / "in.jsonl", samples.sample(20))
    with jobs.one_thread():
        bpb_matrix(tmp_path / "models.txt", source, tmp_path / "local.parquet")
    arguments = [str(source), "-m", str(tmp_path / "models.txt"), "-o", str(tmp_path / "out.parquet")]
    assert run(["select", "bpb", *arguments, "--engine", "ray", "--workers", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["documents"] == 20
    assert (tmp_path / "out.parquet").read_bytes() == (tmp_path / "local.parquet").read_bytes()
