"""``pyfastlm prefer train``, ``report`` and ``suggest`` from the command line."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from preferences import PAIRS
from tiny import SENTENCES

from pyfastlm.cli.app import run
from pyfastlm.errors import InputError
from pyfastlm.lm import Scorer, load
from pyfastlm.preference import PreferencePair, precompute
from pyfastlm.preference.files import read_pairs
from pyfastlm.preference.references import References
from pyfastlm.preference.runs import Interval, RunResult, read_result, split, write_report
from pyfastlm.preference.runs.changes import change
from pyfastlm.preference.runs.splitting import shuffled

OPTIONS = ["--steps", "4", "--batch-size", "4", "--lr", "1e-2", "--lora-rank", "2", "--held-out", "0.4"]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    rows = [{"prompt": p.prompt, "chosen": p.chosen, "rejected": p.rejected} for p in PAIRS]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def trained(
    pairs: Path, tiny_lm_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str]]:
    """A run, and its command."""
    folder = tmp_path_factory.mktemp("runs")
    text = folder / "text.txt"
    text.write_text("\n".join(SENTENCES[:2]) + "\n")
    command = ["prefer", "train", str(pairs), "-o", str(folder / "zero"), "-m", str(tiny_lm_dir)]
    command += [*OPTIONS, "--text", str(text)]
    assert run(command) == 0
    return folder / "zero", command


def test_a_run_is_what_the_library_says_of_its_model(
    trained: tuple[Path, list[str]], pairs: Path, tiny_lm_dir: Path
) -> None:
    directory, _ = trained
    names = {"training", "model", "references.parquet", "result.json"}
    assert {path.name for path in directory.iterdir()} == names
    found = read_result(directory)
    learnt, held_out = split(read_pairs(pairs), 0.4, seed=0)
    assert (found.learnt.pairs, found.held_out.pairs) == (len(learnt), len(held_out))
    for part, own in ((found.learnt, learnt), (found.held_out, held_out)):
        old, new = (np.array(precompute(load(lm), own)) for lm in (tiny_lm_dir, directory / "model"))
        gained = new - old
        assert part.chosen.value == pytest.approx(gained[0].mean(), abs=1e-4)
        assert part.rejected.value == pytest.approx(gained[1].mean(), abs=1e-4)
        assert part.margin.value == pytest.approx((gained[0] - gained[1]).mean(), abs=1e-4)
        assert part.accuracy.value == (gained[0] > gained[1]).mean()
        assert part.likelier_before == (old[0] > old[1]).mean()
        assert part.likelier_after == (new[0] > new[1]).mean()
    assert found.learnt.margin.value > 0
    text = SENTENCES[:2]
    bits = [
        sum(-score.logp for score in Scorer(load(lm)).rolling(text)) / np.log(2) / len("".join(text).encode())
        for lm in (tiny_lm_dir, directory / "model")
    ]
    assert (found.bits_before, found.bits_after) == pytest.approx(bits, rel=1e-4)
    assert found.drift == pytest.approx(bits[1] - bits[0], abs=1e-4)


def test_a_finished_run_is_only_read_and_another_is_refused(
    trained: tuple[Path, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    directory, command = trained
    before = read_result(directory)
    checkpoint = directory / "training" / "checkpoint-000000004"
    made = checkpoint.stat().st_mtime_ns
    assert run([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["held_out"]["margin"] == [*before.held_out.margin]
    assert read_result(directory) == before
    assert checkpoint.stat().st_mtime_ns == made
    assert run([*command, "--beta", "0.2"]) != 0
    assert "beta" in capsys.readouterr().err
    assert read_result(directory) == before
    assert run([*command, "--fresh", "--no-model"]) == 0
    assert "Held out" in capsys.readouterr().out
    assert not (directory / "model").exists()
    assert checkpoint.stat().st_mtime_ns > made
    assert run(command) == 0


def test_a_report_sets_runs_side_by_side(
    trained: tuple[Path, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory, command = trained
    other = tmp_path / "control"
    again = [*command, "--shuffled", "--loss", "apo_down", "--seed", "1", "--no-model"]
    again[again.index("-o") + 1] = str(other)
    assert run(again) == 0
    capsys.readouterr()
    folder = tmp_path / "new" / "report"
    report = ["prefer", "report", str(directory), str(other), "-o", str(folder)]
    assert run([*report, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {*told["runs"]} == {str(directory), str(other)}
    assert told["runs"][str(other)]["shuffled"] is True
    assert any("different pairs" in said for said in told["doubts"])
    page = (folder / "report.md").read_text()
    found = read_result(directory)
    assert f"{found.held_out.margin.value:+.2f}" in page
    assert f"{found.learnt.rejected.value:+.2f}" in page
    for text in ("apo\\_zero", "apo\\_down", "half exchanged", "## Doubts", "a coin's"):
        assert text in page
    assert re.findall(r"\]\((.+\.svg)\)", page) == ["changes.svg"]
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {*before} == {"report.md", "changes.svg"}
    assert run(report) == 0
    assert str(folder / "report.md") in "".join(capsys.readouterr().out.split())
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_all_weights_learn_at_a_rate_of_their_own(
    pairs: Path, tiny_lm_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["prefer", "train", str(pairs), "-o", str(tmp_path / "all"), "-m", str(tiny_lm_dir)]
    assert run([*command, "--full", "--loss", "dpo", "--steps", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["options"]["rank"], told["options"]["lr"]) == (None, 1e-6)
    assert told["bits_before"] is None
    assert told["held_out"]["pairs"] >= 1


def test_suggest(pairs: Path, tiny_lm_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["prefer", "suggest", str(pairs), "-m", str(tiny_lm_dir), "--max-tokens", "6"]
    assert run([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["objective"] in ("apo_zero", "apo_down")
    assert told["better"] is None
    assert run(command) == 0
    assert told["reason"] in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--loss", "sft"], "objective"),
        (["--held-out", "1"], "share"),
        (["--held-out", "nan"], "share"),
        (["--lr", "-1"], "lr"),
        (["--pairs-at-once", "0"], "pairs_at_once"),
        (["--text", "missing.txt"], "missing.txt"),
    ],
)
def test_what_cannot_be_is_one_line(
    pairs: Path, tiny_lm_dir: Path, tmp_path: Path, more: list[str], said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    command = ["prefer", "train", str(pairs), "-o", str(tmp_path / "run"), "-m", str(tiny_lm_dir), *more]
    assert run(command) != 0
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_directories_that_are_none(
    pairs: Path, tiny_lm_dir: Path, tmp_path: Path, trained: tuple[Path, list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    file = tmp_path / "file"
    file.write_text("")
    assert run(["prefer", "train", str(pairs), "-o", str(file), "-m", str(tiny_lm_dir)]) != 0
    assert "directory: cannot make" in capsys.readouterr().err
    assert run(["prefer", "report", str(tmp_path), "-o", str(tmp_path / "report")]) != 0
    assert "no result.json" in capsys.readouterr().err
    once = str(trained[0])
    assert run(["prefer", "report", once, once, "-o", str(tmp_path / "report")]) != 0
    assert "once" in capsys.readouterr().err
    assert run(["prefer", "report", once, "-o", str(file)]) != 0
    assert "folder: cannot make" in capsys.readouterr().err
    with pytest.raises(InputError, match="runs: expected at least one"):
        write_report({}, tmp_path / "report")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("options", {"steps": 1, "objective": "magic"}),
        ("options", {"surprise": 1}),
        ("learnt", None),
        ("held_out", {}),
        ("bits_after", "much"),
        ("bits_after", float("inf")),
        ("seconds", True),
        ("model", 7),
    ],
)
def test_a_damaged_result_is_refused(
    trained: tuple[Path, list[str]], tmp_path: Path, name: str, value: Any
) -> None:
    fields = json.loads((trained[0] / "result.json").read_text())
    (tmp_path / "result.json").write_text(json.dumps(fields))
    assert isinstance(read_result(tmp_path), RunResult)
    (tmp_path / "result.json").write_text(json.dumps(fields | {name: value}))
    with pytest.raises(InputError):
        read_result(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, "\xff"])
def test_a_result_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "result.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match="damaged"):
        read_result(tmp_path)


def test_no_prompt_is_on_both_sides() -> None:
    pairs = [PreferencePair(f"p{n % 7}", f"a{n}", f"b{n}") for n in range(40)]
    for seed in range(5):
        learnt, held_out = split(pairs, 0.3, seed=seed)
        assert not {pair.prompt for pair in learnt} & {pair.prompt for pair in held_out}
        assert len({pair.prompt for pair in held_out}) == 2
        assert sorted([*learnt, *held_out], key=pairs.index) == pairs
    assert split(pairs, 0.3) == split(pairs, 0.3)
    assert len({pair.prompt for pair in split(pairs, 0.999).learnt}) == 1
    assert len({pair.prompt for pair in split(pairs, 1e-9).held_out}) == 1
    with pytest.raises(InputError, match="at least 2 prompts"):
        split(pairs[:1], 0.5)


def test_the_control_exchanges_half() -> None:
    pairs = [PreferencePair("p", f"a{n}", f"b{n}") for n in range(9)]
    found = shuffled(pairs, seed=2)
    exchanged = [new.chosen == old.rejected for new, old in zip(found, pairs, strict=True)]
    assert sum(exchanged) == 4
    assert [replace(p, chosen=p.rejected, rejected=p.chosen) if e else p
            for p, e in zip(found, exchanged, strict=True)] == pairs  # fmt: skip


def test_intervals_hold_the_mean_as_often_as_they_say() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for number in range(100):
        new = rng.normal((1.0, -2.0), 3.0, (60, 2)).T.astype(np.float32)
        found = change(References(*np.zeros_like(new)), References(*new), seed=number)
        held += found.margin.low <= 3.0 <= found.margin.high
        assert found.margin.value == pytest.approx(found.chosen.value - found.rejected.value, abs=1e-6)
        assert isinstance(found.accuracy, Interval)
    assert 0.88 <= held / 100 <= 0.99
