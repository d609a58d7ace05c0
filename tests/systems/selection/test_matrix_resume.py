"""Killed in the middle of a model and run again: the same matrix to the last bit; and several at once."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jobs
import numpy as np
import pytest
import samples
from samples import Stub
from tiny import save_tiny_lm

from pyfastlm.errors import InputError
from pyfastlm.selection import Model, bpb_matrix
from pyfastlm.selection.bpb.models import resolve_models

RULES = {"missing": "drop_document", "duplicates": "family"}
ROOM = Path(jobs.__file__).parent


class Stop(BaseException):
    """Ends a job inside a model."""


class Mortal(Stub):
    """Dies at its call number ``last``."""

    tokens_per_batch = 16  # parts of 512 bytes
    calls = 0
    last = -1

    def rolling(self, texts: Any) -> Any:
        Mortal.calls += 1
        if Mortal.calls == Mortal.last:
            raise Stop
        return super().rolling(texts)


@pytest.fixture
def rows() -> samples.Rows:
    return samples.sample(30)


def listed(rows: samples.Rows) -> list[Model]:
    bad = {"fails": [rows[4][1]], "nan": [rows[20][1]], "empty": [rows[11][1]]}
    return [
        Model(name, "ab"[number % 2], scorer=Mortal(name, **(bad if name == "q" else {})))  # type: ignore[arg-type]
        for number, name in enumerate("pqr")
    ]


def test_stopped_again_and_again(rows: samples.Rows, tmp_path: Path) -> None:
    source, whole = samples.write(tmp_path / "in.jsonl", rows), tmp_path / "whole.parquet"
    Mortal.calls, Mortal.last = 0, -1
    report = bpb_matrix(listed(rows), source, whole, **RULES)  # type: ignore[arg-type]
    total = Mortal.calls
    assert total > 20
    output = tmp_path / "out.parquet"
    deaths = 0
    for run in range(4 * total):  # short and long runs: one bad text has its whole part scored text by text
        Mortal.calls, Mortal.last = 0, 1 + run % 9
        try:
            bpb_matrix(listed(rows), source, output, **RULES)  # type: ignore[arg-type]
            break
        except Stop:
            deaths += 1
            assert not output.exists()
    assert deaths > 5
    assert output.read_bytes() == whole.read_bytes()
    assert (tmp_path / "out.missing.jsonl").read_bytes() == (tmp_path / "whole.missing.jsonl").read_bytes()
    reasons = [score.reason for score in report.examples]
    assert reasons[0] == f"ValueError: cannot encode '{rows[4][1][:5]}'", "the reason outlives the process"


def test_work_of_others_is_not_mixed_in(rows: samples.Rows, tmp_path: Path) -> None:
    source, output = samples.write(tmp_path / "in.jsonl", rows), tmp_path / "out.parquet"
    Mortal.calls, Mortal.last = 0, 12
    with pytest.raises(Stop):
        bpb_matrix(listed(rows), source, output, **RULES)  # type: ignore[arg-type]
    Mortal.last = -1
    samples.write(source, [("domain 0", rows[0][1][::-1]), *rows[1:]])
    with pytest.raises(InputError, match=r"^resume: .*out.parquet.models/.*other contents of .*resume=False"):
        bpb_matrix(listed(rows), source, output, **RULES)  # type: ignore[arg-type]
    samples.write(source, rows)
    with pytest.raises(InputError, match=r"^resume: .*another text_key"):
        bpb_matrix(listed(rows), source, output, text_key="domain", **RULES)  # type: ignore[arg-type]
    assert bpb_matrix(listed(rows), source, output, **RULES).documents == 27  # type: ignore[arg-type]
    # Afresh: everything is scored again, from what the inputs are now.
    samples.write(source, [("domain 0", rows[0][1][::-1]), *rows[1:]])
    fresh = listed(rows)
    assert bpb_matrix(fresh, source, output, resume=False, **RULES).documents == 27  # type: ignore[arg-type]
    asked: Any = fresh[0].scorer
    assert len(asked.asked) == 30


# A job in a process of its own, whose models take a moment for each part.
STUBS = """
import sys, time
sys.path.insert(0, {room!r})
from samples import Stub
from pyfastlm.selection import Model, bpb_matrix

class Slow(Stub):
    tokens_per_batch = 16
    def rolling(self, texts):
        time.sleep(0.004)
        return super().rolling(texts)

models = [Model(name, scorer=Slow(name)) for name in ("lm0", "lm1", "lm2")]
bpb_matrix(models, {source!r}, {output!r})
"""


def start_stubs(source: Path, output: Path) -> "subprocess.Popen[str]":
    script = STUBS.format(room=str(ROOM), source=str(source), output=str(output))
    return subprocess.Popen([sys.executable, "-c", script], text=True, stderr=subprocess.PIPE)


def kill_in(model: str, process: "subprocess.Popen[str]", output: Path, parts: int) -> None:
    """Wait until ``model`` has so many saved parts, then kill the process in the midst of it."""
    folder = output.with_name(output.name + ".models")
    name = f"*{model}-*.parquet.parts/*.part"
    while process.poll() is None and len([*folder.glob(name)]) < parts:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert [*folder.glob(name)], "it was in the midst of this model"
    assert not output.exists()


def test_killed_in_the_midst_of_each_model(tmp_path: Path) -> None:
    source = samples.write(tmp_path / "in.jsonl.gz", samples.sample(150, 10))
    whole, output = tmp_path / "whole.parquet", tmp_path / "out.parquet"
    process = start_stubs(source, whole)
    assert (process.communicate(timeout=60)[1], process.returncode) == ("", 0)
    rng = random.Random(0)
    for model in ("lm0", "lm1", "lm2"):
        kill_in(model, start_stubs(source, output), output, rng.randint(2, 12))
    process = start_stubs(source, output)
    assert (process.communicate(timeout=60)[1], process.returncode) == ("", 0)
    assert output.read_bytes() == whole.read_bytes()
    report = json.loads((tmp_path / "out.report.json").read_text())
    assert 0 < report["models"][2]["resumed_documents"] < 150


@pytest.mark.slow
def test_processes_divide_the_models(tmp_path: Path) -> None:
    source = samples.write(tmp_path / "in.jsonl", samples.sample(150, 10))
    whole, output = tmp_path / "whole.parquet", tmp_path / "out.parquet"
    assert start_stubs(source, whole).communicate(timeout=60)[1] == ""
    several = [start_stubs(source, output) for _ in range(2)]
    told = [process.communicate(timeout=60)[1] for process in several]
    assert (told, [process.returncode for process in several]) == ([""] * 2, [0] * 2)
    assert output.read_bytes() == whole.read_bytes()


COMMAND = """
import typer
from pyfastlm.cli.select_bpb import command
app = typer.Typer(rich_markup_mode=None)
app.command()(command)
app()
"""


@pytest.mark.slow
def test_language_models_killed_in_the_midst_of_each(tmp_path: Path) -> None:
    """The command line with real models; then two of it at once."""
    for seed in range(3):
        save_tiny_lm(tmp_path / f"lm{seed}", seed=seed)
    models = tmp_path / "models.txt"
    models.write_text("".join(f"{tmp_path}/lm{seed} family{seed % 2}\n" for seed in range(3)))
    source = samples.write(tmp_path / "in.jsonl.gz", samples.sample(150, 10))
    whole, output, shared = (tmp_path / f"{name}.parquet" for name in ("whole", "out", "shared"))
    with jobs.one_thread():
        bpb_matrix(models, source, whole, tokens_per_batch=64)

    def start(output: Path) -> "subprocess.Popen[str]":
        options = ["-m", models, "-o", output, "--tokens-per-batch", "64", "--threads", "1", "--json"]
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, str(source), *map(str, options)],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    for model in ("lm0", "lm1", "lm2"):
        kill_in(model, start(output), output, 4)
    last = start(output)
    out, err = last.communicate(timeout=120)
    assert last.returncode == 0, err
    assert output.read_bytes() == whole.read_bytes()
    assert 0 < json.loads(out)["models"][2]["resumed_documents"] < 150
    pair = [start(shared) for _ in range(2)]
    told = [process.communicate(timeout=120) for process in pair]
    assert [process.returncode for process in pair] == [0, 0], told
    assert shared.read_bytes() == whole.read_bytes()


def test_a_model_another_process_works_on_is_left_for_later(rows: samples.Rows, tmp_path: Path) -> None:
    """While one scores p, the same call elsewhere takes q and r first, and p when it is free."""
    source, output = samples.write(tmp_path / "in.jsonl", rows), tmp_path / "out.parquet"
    order: list[str] = []

    class Watching(Stub):
        def rolling(self, texts: Any) -> Any:
            if self.name not in order:
                order.append(self.name)
            return super().rolling(texts)

    from pyfastlm.lm.files import check
    from pyfastlm.selection.bpb.catalogue import Catalogue
    from pyfastlm.selection.bpb.entries import Entry
    from pyfastlm.selection.bpb.scoring import score_all
    from pyfastlm.selection.bpb.tables import Tables

    models = resolve_models([Model(name, scorer=Watching(name)) for name in "pqr"])
    catalogue = Catalogue(check(source, output)[0], "text", "domain")
    assert not [*catalogue.read(2048)]
    tables = Tables(tmp_path / "out.parquet.models", catalogue, "text", None, 2048)
    script = (
        "import fcntl, sys, time; file = open(sys.argv[1], 'ab'); fcntl.flock(file, fcntl.LOCK_EX); "
        "print('locked', flush=True); time.sleep(1)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(tables.path(models[0], ".lock"))], stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"locked\n"
    score_all([Entry(m, m.family) for m in models], tables, "raise", "raise", progress=False)
    holder.wait()
    holder.stdout.close()
    assert order == ["q", "r", "p"]
    report = bpb_matrix(models, source, output)
    _, values = samples.expected([Stub(name) for name in "pqr"], rows)
    np.testing.assert_allclose(report.open().bits_per_byte, values, rtol=1e-13)


def test_a_finished_table_of_other_texts_is_refused(rows: samples.Rows, tmp_path: Path) -> None:
    """Even where rows, lengths and settings are the same: the hash of the texts is not."""
    source, output = samples.write(tmp_path / "in.jsonl", rows), tmp_path / "out.parquet"
    bpb_matrix([Model("a", scorer=Stub("a"))], source, output)
    before = output.read_bytes()
    samples.write(source, [("domain 0", rows[0][1][::-1]), *rows[1:]])
    for scorer in (Stub("a"), lambda: Stub("a")):
        with pytest.raises(InputError, match=r"^resume: .* was made from other contents of the inputs"):
            bpb_matrix([Model("a", scorer=scorer)], source, output)
    assert output.read_bytes() == before
    samples.write(source, [(domain + "!", text) for domain, text in rows])  # domains are free to change
    matrix = bpb_matrix([Model("a", scorer=Stub("a"))], source, output).open()
    assert matrix.domains[0] == "domain 0!"


PEAK = """
import sys
sys.path.insert(0, {room!r})
from samples import Stub
from pyfastlm.selection import Model, bpb_matrix

class Forgetful(Stub):
    tokens_per_batch = 8192
    def rolling(self, texts):
        self.asked = []
        return super().rolling(texts)

bpb_matrix([Model(name, scorer=Forgetful(name)) for name in "abc"], sys.argv[1], sys.argv[2])
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
def test_memory_does_not_grow_with_the_texts(tmp_path: Path) -> None:
    peaks = []
    for count in (2_000, 40_000):
        source = tmp_path / f"{count}.jsonl"
        with open(source, "w") as file:
            for i in range(count):
                line = {"domain": f"d{i % 100}", "text": f"{i} " + "some words " * 200}
                file.write(json.dumps(line) + "\n")
        script = PEAK.format(room=str(ROOM))
        arguments = [sys.executable, "-c", script, str(source), str(tmp_path / f"{count}.parquet")]
        peaks.append(int(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout))
    assert peaks[1] < peaks[0] + 30_000, peaks  # KiB; the larger sample has 86 MiB of text
