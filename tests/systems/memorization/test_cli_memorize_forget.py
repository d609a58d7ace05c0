"""``pyfastlm memorize trace | stress | unlearn``, from a saved model to tables, pictures and a new model."""

import json
from pathlib import Path
from typing import Any

import pytest
from memorize_command import output, refusal
from overfitted import OTHER, TEXTS, overfitted_lm

from pyfastlm.lm import load
from pyfastlm.memorization import verbatim_lengths


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model that knows ``quotes/0`` and ``quotes/1``, and a file with these and one more."""
    folder = tmp_path_factory.mktemp("memorize")
    lm = overfitted_lm()
    lm.model.save_pretrained(folder / "model")
    lm.tokenizer.save_pretrained(folder / "model")
    texts: dict[str, Any] = {"quotes": {"0": TEXTS[0], "1": TEXTS[1]}, "new": {"x": OTHER, "short": "No."}}
    (folder / "quotes.json").write_text(json.dumps(texts))
    (folder / "text.txt").write_text("\n".join([OTHER, TEXTS[2]] * 8))
    (folder / "words.json").write_text(json.dumps({"old": ["ancient"], "clock": ["watch"]}))
    return folder


def test_trace(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = [
        "trace",
        folder / "quotes.json",
        "-m",
        folder / "model",
        "--prefix",
        12,
        "--horizon",
        6,
        "--draws",
        2,
    ]
    picture = folder / "trace.svg"
    table = output(capsys, *common, "--id", "quotes/1", "--control", "new/x", "--picture", picture)
    assert "quotes/1: what 6 tokens after 12 depend on" in table
    assert "of 6 tokens do not depend on the prompt" in table
    assert "control: " in table
    assert picture.read_text().startswith("<?xml")
    found = json.loads(output(capsys, *common, "--json"))
    assert found["sequence"] == "quotes/0"
    assert [row["place"] for row in found["tokens"]] == [*range(6)]
    assert len(found["trace"]["dependency"]) == 3
    assert len(found["trace"]["dependency"][0]) == 12
    assert found["control"] is None


def test_trace_refuses(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["trace", folder / "quotes.json", "-m", folder / "model"]
    assert "id: expected a sequence of the file, e.g. quotes/0" in refusal(capsys, *common, "--id", "a/b")
    assert "control: expected a sequence" in refusal(capsys, *common, "--control", "a/b")
    assert "expected a name ending in .png" in refusal(capsys, *common, "--picture", "a.gif")
    assert "token: expected 0..31" in refusal(capsys, *common, "--picture", "a.png", "--token", 99)
    assert "tokens in 'new/short', got" in refusal(capsys, *common, "--id", "new/short")
    assert "corrupted: expected one of" in refusal(capsys, *common, "--corrupted", "eaten", "--horizon", 4)
    assert "threshold: expected a probability" in refusal(capsys, *common, "--threshold", 2, "--horizon", 4)
    assert "cannot read" in refusal(capsys, "trace", folder / "none.json", "-m", folder / "model")


def test_stress(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["stress", folder / "quotes.json", "-m", folder / "model", "--prefix", 24, "--horizon", 20]
    some = ["--id", "quotes/0", "--id", "new/x", "--shifts", 2, "--similar-words", folder / "words.json"]
    table = output(capsys, *common, *some)
    assert "quotes/0" in table
    found = json.loads(output(capsys, *common, *some, "--json"))["sequences"]
    assert [*found] == ["quotes/0", "new/x"]
    assert found["quotes/0"]["longest"] == 20
    assert found["new/x"]["longest"] < 10
    kinds = {row["kind"]: row["prompts"] for row in found["quotes/0"]["by_kind"]}
    assert kinds["one word"] == 2
    assert "tokens in 'new/short', got" in refusal(capsys, *common)
    (folder / "bad.json").write_text("[]")
    assert "expected {word: [substitutes]}" in refusal(
        capsys, *common, "--similar-words", folder / "bad.json"
    )
    assert "No such file" in refusal(capsys, *common, "--similar-words", folder / "none.json")


def test_unlearn(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["unlearn", folder / "quotes.json", "-m", folder / "model", "--prefix", 24, "--horizon", 20,
              "--id", "quotes/0", "--shifts", 1, "--substitutes", 1, "--lr", 1e-3]  # fmt: skip
    text = folder / "text.txt"
    more = ["--method", "gradient_difference", "--retain", text, "--held-out", text]
    table = output(capsys, *common, *more, "--out", tmp_path / "forgot")
    assert "20 > " in table
    assert "ended: forgotten" in table
    assert "bits/byte before" in table
    found = json.loads(output(capsys, *common, *more, "--out", tmp_path / "again", "--json"))
    assert found["ended"] == "forgotten"
    assert found["bits_per_byte"]["before"] > 0
    [(name, both)] = found["sequences"].items()
    assert name == "quotes/0"
    assert both["before"]["original"] == 20
    assert both["after"]["original"] < 5
    saved = load(tmp_path / "again")
    ids = saved.tokenizer(TEXTS[0], add_special_tokens=False)["input_ids"]
    length = verbatim_lengths(saved, ids, (24,), 20, starts=[0])
    assert length.longest == both["after"]["original"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "forgot"]
    same = {path.name for path in (tmp_path / "forgot").iterdir()}
    assert "model.safetensors" in same
    first, second = ((tmp_path / one / "model.safetensors").read_bytes() for one in ("forgot", "again"))
    assert first == second


def test_unlearn_refuses(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["unlearn", folder / "quotes.json", "-m", folder / "model", "--prefix", 24, "--id", "quotes/0"]
    out = ["--out", tmp_path / "forgot"]
    assert "out: expected a new directory" in refusal(capsys, *common, "--out", tmp_path)
    assert "there is no directory" in refusal(capsys, *common, "--out", tmp_path / "a" / "b")
    assert "method: expected one of" in refusal(capsys, *common, *out, "--method", "prayer")
    assert "retain: expected sequences" in refusal(capsys, *common, *out, "--method", "gradient_difference")
    assert "lr: expected a finite number" in refusal(capsys, *common, *out, "--lr", "nan")
    (tmp_path / "empty.txt").write_text("\n\n")
    assert "held-out: expected texts" in refusal(capsys, *common, *out, "--held-out", tmp_path / "empty.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["empty.txt"]  # nothing half made


def test_a_model_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyfastlm.lm.saving import save_model

    lm = overfitted_lm()

    def full(*arguments: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(lm.tokenizer), "save_pretrained", full)
    with pytest.raises(OSError, match="No space left"):
        save_model(lm, tmp_path / "new")
    assert [*tmp_path.iterdir()] == []
