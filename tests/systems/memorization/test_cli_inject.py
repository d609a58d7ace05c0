"""``pyfastlm memorize inject``: from a file of sequences to a table, JSON and a picture; how it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from memorize_command import output, refusal
from tiny import SENTENCES, save_tiny_lm

from pyfastlm.errors import InputError
from pyfastlm.lm import load
from pyfastlm.memorization import verbatim_lengths
from pyfastlm.memorization.injection.picture import Curve, draw

TEXTS = {
    "often": "The quick brown fox jumps over the lazy dog, again and again.",
    "once": "A bridge of stone was opened by nobody in particular today.",
    "never": "Seven grey geese were sleeping on the frozen northern lake.",
}


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def given(tmp_path: Path) -> list[str]:
    """Arguments that all runs share."""
    (tmp_path / "seq.json").write_text(json.dumps({"news": TEXTS, "news_transform": "original"}))
    (tmp_path / "text.txt").write_text("\n".join(text.strip() for text in SENTENCES))
    save_tiny_lm(tmp_path / "model")
    return [
        str(tmp_path / "seq.json"), "-d", str(tmp_path / "text.txt"), "-m", str(tmp_path / "model"),
        "-o", str(tmp_path / "run"), "--window", "20", "--batch-size", "2", "--prefixes", "4,8",
        "--horizon", "12", "--lr", "1e-2",
    ]  # fmt: skip


def test_what_is_repeated_is_given_back(
    given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [*given, "--steps", "30", "--repetitions", "50,1,0", "--grid", "12", "--held-out", "3"]
    picture = tmp_path / "lengths.svg"
    found = json.loads(output(capsys, "inject", *options, "--json", "--picture", str(picture)))
    assert found["planted"] == 51
    assert found["share"] == 51 / 60
    assert found["log"][0]["validation"] is not None
    levels = {(level["step"], level["repetitions"]): level for level in found["levels"]}
    assert sorted(levels) == [(step, count) for step in (0, 12, 30) for count in (0, 1, 50)]
    assert levels[30, 50]["longest"] == 12  # all that is asked for
    assert max(level["longest"] for (step, count), level in levels.items() if not (step and count == 50)) < 6
    last = [row for row in found["rows"] if row["step"] == 30]
    assert {row["sequence_id"]: row["repetitions"] for row in last} == {
        "news/often": 50, "news/once": 1, "news/never": 0,
    }  # fmt: skip
    early = {row["sequence_id"]: row["repetitions"] for row in found["rows"] if row["step"] == 12}
    assert early["news/often"] in (19, 20, 21)
    lm = load(found["checkpoints"][-1])
    tokens = lm.tokenizer(TEXTS["often"])["input_ids"][:21]
    expected = verbatim_lengths(lm, tokens, (4, 8), 12)
    mine = [row["length"] for row in last if row["sequence_id"] == "news/often"]
    assert mine == [row.length for row in expected.rows("x")]
    assert "step 30, original" in picture.read_text()

    table = output(capsys, "inject", *options)  # the same command again: the run is only loaded
    assert "30 steps, 30 of them by earlier runs" in table
    assert "planted: 51 examples, 85.00% of all, at most" in table
    assert "nats/token before" in table
    (tmp_path / "seq.json").write_text(json.dumps({"other": TEXTS}))
    assert "another injections" in refusal(capsys, "inject", *options)


def test_twins_and_plans(given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short = ["--steps", "10", "--repetitions", "3", "--every", "5", "--json"]
    found = json.loads(output(capsys, "inject", *given, *short))
    assert found["planted"] == 9
    twin = json.loads(output(capsys, "inject", *given, *short, "--twin", "-o", str(tmp_path / "twin")))
    assert twin["planted"] == 0
    assert {level["repetitions"] for level in twin["levels"]} == {0}
    assert len(twin["rows"]) == len(found["rows"])  # the same prompts
    label = {"news": TEXTS, "news_transform": {"often": "shuffled", "once": "original", "never": "original"}}
    (tmp_path / "seq.json").write_text(json.dumps(label))
    ready = json.loads(output(capsys, "inject", *given, *short, "-o", str(tmp_path / "ready")))
    assert {(row["sequence_id"], row["transform"]) for row in ready["rows"]} == {
        ("news/often", "given"), ("news/once", "original"), ("news/never", "original"),
    }  # fmt: skip
    shuffled = json.loads(
        output(capsys, "inject", *given, *short, "--transform", "shuffled", "-o", str(tmp_path / "shuffled"))
    )
    assert {row["transform"] for row in shuffled["rows"]} == {"shuffled"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["--repetitions", "x"], "repetitions: expected numbers like 8,16,32, got 'x'"),
        (["--repetitions", ","], "repetitions: expected at least one number"),
        (["--repetitions", "-1"], "repetitions: expected numbers of at least 0"),
        (["--repetitions", "9999"], "examples: expected at least the 29,997 repetitions, got 20"),
        (
            ["--repetitions", "9", "--every", "5"],
            "is planned for example 20, but 10 steps of 2 reach only 20",
        ),
        (["--every", "2"], "every: expected at least the number of sequences, 3, got 2"),
        (["--transform", "reversed"], "transform: expected original or shuffled"),
        (["--grid", "11"], "grid: expected steps from 1 to 10, got 11"),
        (["--prefixes", "0"], "prefix_lengths"),
        (["--horizon", "200", "--window", "150"], "context of 128 tokens, got 151"),
        (["--held-out", "9999"], "held-out: expected fewer than the"),
        (["--window", "5000"], "texts: expected more than 5000 tokens"),
        (["--revision", "step1"], "revision: expected none, got 'step1'"),
        (["--picture", "lengths.gif"], "picture: expected a name ending in .png, .svg, .pdf"),
        (["-d", "none.txt"], "none.txt"),
        (["-m", "./none"], "no such file or directory: './none'"),
    ],
)
def test_refusals(
    changes: list[str], message: str, given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in refusal(capsys, "inject", *given, "--steps", "10", "--repetitions", "1", *changes)


def test_pictures(tmp_path: Path) -> None:
    curves = [
        Curve("step 0, original", (0, 1, 40), (1.0, 1.5, 2.0), (0.5, 1.0, 1.0), (2.0, 2.0, 3.0)),
        Curve("step 0, shuffled", (0, 1, 40), (0.0, 0.5, 9.0), dashed=True),
        Curve("step 100, original", (0, 40), (0.0, 20.0)),
    ]
    for name in "ab":
        draw(curves, tmp_path / f"{name}.svg", limit=25)
    text = (tmp_path / "a.svg").read_text()
    assert (tmp_path / "b.svg").read_text() == text
    assert "repetitions in training" in text
    with pytest.raises(InputError, match=r"^picture"):
        draw(curves, tmp_path / "a.gif")
