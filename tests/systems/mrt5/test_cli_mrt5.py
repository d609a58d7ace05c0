"""``pyfastlm mrt5``: from texts to a model, a table and a page; and how each command refuses."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import SENTENCES
from tiny_mrt5 import open_gate, tiny_mrt5

from pyfastlm.cli.app import run
from pyfastlm.mrt5 import MrT5ForConditionalGeneration, SpanCorruption, evaluate, int8, quantization
from pyfastlm.mrt5.answers import generate_text
from pyfastlm.mrt5.loading import SIZES, load_model, new_model, start_model
from pyfastlm.mrt5.texts import read_texts


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    from tiny_mrt5 import SHAPE

    monkeypatch.setitem(SIZES, "tiny", SHAPE)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "en.txt").write_text((SENTENCES[0] + "\n") * 8, "utf-8")
    (tmp_path / "zh.txt").write_text((SENTENCES[6] + "\n") * 8, "utf-8")
    return [str(tmp_path / "en.txt"), f"zh-cn={tmp_path / 'zh.txt'}"]


@pytest.fixture
def model(tmp_path: Path) -> str:
    open_gate(tiny_mrt5()).save_pretrained(tmp_path / "model")
    return str(tmp_path / "model")


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run(["mrt5", *arguments]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line on standard error with which a command refuses."""
    capsys.readouterr()
    assert run(["mrt5", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("pyfastlm: error: ")
    assert err.count("\n") == 1
    return err


SPANS = ["--input-length", "32", "--mean-span", "3"]


def test_train_resumes_and_its_model_serves_all_the_others(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    train = ["train", *files, "-o", out, "--size", "tiny", "--steps", "6", "--batch-size", "2", *SPANS]
    train += ["--log-every", "2", "--save-every", "4", "--ki", "0.001", "--target", "0.4"]
    found = json.loads(output(capsys, *train, "--json"))
    assert [entry["step"] for entry in found["log"]] == [2, 4, 6]
    assert found["checkpoint"] == f"{out}/checkpoint-000000006"
    assert json.loads(output(capsys, *train, "--json"))["resumed_step"] == 6
    assert "6 steps, 6 of them by earlier runs" in output(capsys, *train)
    assert "another lr" in refusal(capsys, *train, "--lr", "1")
    assert "(--no-resume)" in refusal(capsys, *train, "--seed", "1")
    assert json.loads(output(capsys, *train, "--lr", "0.01", "--no-resume", "--json"))["resumed_step"] == 0

    table = output(capsys, "eval", out, *files, *SPANS)
    assert "fixed" in table
    assert "zh-cn" in table
    output(capsys, "generate", out, "some text", "--max-new-bytes", "4")
    assert "page: " in output(capsys, "show", out, *files, "-o", str(tmp_path / "page.html"))


def test_train_without_a_gate_and_on_from_a_model(
    files: list[str], model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["train", *files, "--steps", "1", "--batch-size", "1", *SPANS, "--json"]
    output(capsys, *base, "-o", str(tmp_path / "plain"), "--size", "tiny", "--no-gate")
    assert load_model(tmp_path / "plain").config.deletion_type is None
    output(capsys, *base, "-o", str(tmp_path / "on"), "--model", model)
    assert load_model(tmp_path / "on").config.deletion_type == "scaled_sigmoid"
    output(capsys, *base, "-o", str(tmp_path / "fresh"), "--model", str(tmp_path / "plain"))
    assert load_model(tmp_path / "fresh").config.deletion_type == "scaled_sigmoid"


def test_eval_prints_what_evaluate_finds(
    files: list[str], model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny_mrt5(seed=1, deletion_type=None).save_pretrained(tmp_path / "control")
    arguments = ["eval", model, *files, *SPANS, "--batch-size", "4"]
    found = json.loads(output(capsys, *arguments, "--control", str(tmp_path / "control"), "--json"))
    data = SpanCorruption(input_length=32, mean_span_length=3).data(read_texts(files))
    expected = evaluate(load_model(model), data, batch_size=4)
    for row in expected.rows:
        (same,) = [r for r in found["rows"] if (r["mode"], r["language"]) == (row.mode, row.language)]
        assert (same["nats"], same["deleted"]) == (row.nats, row.deleted)
    assert {row["mode"] for row in found["rows"]} == {
        "soft",
        "hard",
        "hard+bias",
        "random",
        "fixed",
        "control",
    }
    without = json.loads(output(capsys, "eval", str(tmp_path / "control"), *files, *SPANS, "--json"))
    assert {row["mode"] for row in without["rows"]} == {"full"}


def test_eval_of_tasks(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "task.jsonl"
    rows = [
        {"premise": "p", "hypothesis": "h", "label": n, "language": "de" if n else "en"} for n in (0, 1, 2)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = json.loads(output(capsys, "eval", model, str(path), "--task", "xnli", "--json"))
    assert [(row["language"], row["examples"]) for row in found["rows"]] == [(None, 3), ("en", 1), ("de", 2)]
    assert len(found["predictions"]) == 3
    assert "sequence accuracy" in output(capsys, "eval", model, str(path), "--task", "xnli")


def test_generate_and_standard_input(
    model: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO("one\ntwo\n"))
    found = json.loads(output(capsys, "generate", model, "-", "--max-new-bytes", "3", "--json"))
    assert [pair["input"] for pair in found["texts"]] == ["one", "two"]
    alone = json.loads(output(capsys, "generate", model, "two", "--max-new-bytes", "3", "--json"))
    assert alone["texts"][0] == found["texts"][1]


@pytest.mark.skipif(not quantization.supported(), reason="the processor has neither AVX-512 VNNI nor AMX")
def test_generate_with_8_bits(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(output(capsys, "generate", model, "two", "--int8", "--max-new-bytes", "3", "--json"))
    (expected,) = generate_text(int8(load_model(model)), ["two"], max_new_bytes=3)
    assert found["texts"] == [{"input": "two", "output": expected}]


def test_show(files: list[str], model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    arguments = ["show", model, *files, "-o", str(page), "--count", "2"]
    found = json.loads(output(capsys, *arguments, "--json"))
    assert [(rate["language"], rate["texts"]) for rate in found["rates"]] == [("en", 2), ("zh-cn", 2)]
    html = page.read_text("utf-8")
    assert html.count("<article") == 4
    assert f"{found['rates'][1]['deleted']:.1%}" in html
    assert "zh-cn" in output(capsys, *arguments)
    page.write_text("mine")
    assert "is no page of this kind" in refusal(capsys, *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "{en}"], "Missing option"),
        (["train", "no.txt", "-o", "{tmp}/run"], "inputs: cannot read 'no.txt'"),
        (["train", "{en}", "-o", "{tmp}/run", "--size", "huge"], "size: expected one of"),
        (["train", "{en}", "-o", "{tmp}/run", "--target", "2"], "target: expected a fraction"),
        (["train", "{en}", "-o", "{tmp}/run", "--size", "tiny"], "less than one window"),
        (["train", "{en}", "-o", "{tmp}/run", "--model", "{tmp}"], "holds neither a model nor a checkpoint"),
        (["eval", "{tmp}/no_model", "{en}"], "name_or_path: expected a directory or a model id"),
        (["eval", "{model}", "{en}", "--task", "chess"], "task: expected one of spans, xnli"),
        (["eval", "{model}", "{en}", "{en}", "--task", "xnli"], "files: expected one file"),
        (
            ["eval", "{model}", "{en}", "--input-length", "32", "--modes", "soft,no"],
            "modes: expected some of",
        ),
        (["generate", "{model}"], "Missing argument"),
        (["generate", "{en}", "x"], "name_or_path: expected a directory or a model id"),
        (["show", "{model}", "{en}", "-o", "{tmp}/no/page.html"], "output: expected a file in a directory"),
    ],
)
def test_mistakes(
    arguments: list[str],
    message: str,
    files: list[str],
    model: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    filled = [part.format(en=files[0], tmp=tmp_path, model=model) for part in arguments]
    assert message in refusal(capsys, *filled)


# Models by name


def test_new_models_are_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    one, two = (new_model("tiny", seed=1).state_dict() for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(new_model("tiny", seed=2).state_dict()["lm_head.weight"], one["lm_head.weight"])


def test_a_gate_is_kept_added_or_left_out(model: str, tmp_path: Path) -> None:
    tiny_mrt5(deletion_type="log_sigmoid").save_pretrained(tmp_path / "log")
    assert start_model(tmp_path / "log", "tiny", gate=True).config.deletion_type == "log_sigmoid"
    plain = start_model(model, "tiny", gate=False)
    assert plain.config.deletion_type is None
    plain.save_pretrained(tmp_path / "plain")
    with_gate = [
        start_model(tmp_path / "plain", "tiny", gate=True, seed=seed).state_dict() for seed in (0, 0, 1)
    ]
    gate = "encoder.block.1.delete_gate.feed_forward.weight"
    assert torch.equal(with_gate[0][gate], with_gate[1][gate])
    assert not torch.equal(with_gate[0][gate], with_gate[2][gate])
    loaded: Any = MrT5ForConditionalGeneration.from_pretrained(model)
    assert torch.equal(with_gate[0]["lm_head.weight"], loaded.lm_head.weight)
