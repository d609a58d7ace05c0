"""Models that pool in training, evaluation and on the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import SENTENCES
from tiny_mrt5 import tiny_data, tiny_mrt5

from pyfastlm.cli.app import run
from pyfastlm.errors import InputError
from pyfastlm.mrt5 import DeletionController, MrT5ForConditionalGeneration, evaluate, train
from pyfastlm.mrt5.checkpoints import Run
from pyfastlm.mrt5.examples import collate
from pyfastlm.mrt5.loading import load_model, start_model
from pyfastlm.mrt5.order import Order
from pyfastlm.mrt5.show import look
from pyfastlm.mrt5.training import _draws

KINDS = ("boundary", "convolution")
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


def undecided(**changes: Any) -> MrT5ForConditionalGeneration:
    """About half of an untrained model's tokens end a segment."""
    model = tiny_mrt5(deletion_type="boundary", **changes)
    with torch.no_grad():
        predictor = model.encoder.block[1].boundary_predictor.boundary_predictor
        predictor[2].weight.mul_(5)
        predictor[2].bias.zero_()
    return model


# Training


def test_a_step_by_hand() -> None:
    model, again = (undecided(dropout_rate=0.0) for _ in range(2))
    data = tiny_data()
    result = train(model, data, steps=1, batch_size=3, lr=1e-2, log_every=1, seed=3)
    optimizer = torch.optim.AdamW(again.parameters(), lr=1e-2, weight_decay=0)
    again.train()
    batch = collate(Order(data, 3).take(0, 3))
    _, drawn_by = _draws(3, 0, 0.0)
    with torch.random.fork_rng():
        torch.manual_seed(drawn_by)
        output = again(**batch)
    (output.loss + output.boundary_loss.mean()).backward()
    torch.nn.utils.clip_grad_norm_(again.parameters(), 1.0)
    optimizer.step()
    for name, weight in again.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight), name
    (entry,) = result.log
    assert entry.loss == pytest.approx(output.loss.item(), rel=1e-6)
    assert entry.regularizer == pytest.approx(output.boundary_loss.mean().item(), rel=1e-6)
    assert entry.alpha == 1
    kept, total = int(output.n_kept.sum()), int(batch["attention_mask"].sum())
    assert entry.deleted == pytest.approx(1 - kept / total)
    assert 0.2 < entry.deleted < 0.8


@pytest.mark.parametrize("prior", [0.1, 0.9])
def test_the_prior_decides_how_much_is_left(prior: float) -> None:
    model = undecided(boundary_prior=prior)
    result = train(model, tiny_data(), steps=14, batch_size=3, lr=2e-2, log_every=1)
    first, last = result.log[0], result.log[-1]
    assert abs(1 - last.deleted - prior) < 0.6 * abs(1 - first.deleted - prior)
    assert last.regularizer < first.regularizer


def test_convolution_learns_with_cross_entropy_alone() -> None:
    model = tiny_mrt5(deletion_type="convolution")
    before = model.encoder.block[1].downsampling_module.conv.weight.clone()
    result = train(model, tiny_data(), steps=12, batch_size=3, lr=1e-2, log_every=4)
    assert result.log[-1].loss < result.log[0].loss
    assert result.log[-1].alpha == result.log[-1].regularizer == 0
    assert result.log[-1].deleted == pytest.approx(0.75)  # 48 ids become 12 rows
    assert not torch.equal(before, model.encoder.block[1].downsampling_module.conv.weight)


@EVERY_KIND
def test_there_is_nothing_to_control(kind: str) -> None:
    with pytest.raises(InputError, match=f"controller: the model's deletion_type is '{kind}', and only a"):
        train(
            tiny_mrt5(deletion_type=kind),
            tiny_data(),
            steps=1,
            batch_size=1,
            controller=DeletionController(0.5),
        )


def test_resume_is_bit_identical(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stop(BaseException):
        pass

    def stopping(self: Run, *rest: Any) -> None:
        save(self, *rest)
        raise Stop

    save = Run.save
    options: dict[str, Any] = {"steps": 6, "batch_size": 2, "lr": 1e-2, "save_every": 2}
    whole = undecided()
    expected = train(whole, tiny_data(), **options)
    with monkeypatch.context() as patch:
        patch.setattr(Run, "save", stopping)
        with pytest.raises(Stop):
            train(undecided(), tiny_data(), out=tmp_path / "run", **options)
    model = undecided(seed=9)
    result = train(model, tiny_data(), out=tmp_path / "run", **options)
    assert result.resumed_step == 2
    assert [(e.loss, e.deleted) for e in result.log] == [(e.loss, e.deleted) for e in expected.log]
    for name, weight in whole.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight), name


# Evaluation


def pooled(kind: str) -> MrT5ForConditionalGeneration:
    return undecided() if kind == "boundary" else tiny_mrt5(deletion_type=kind)


@EVERY_KIND
def test_evaluation_shows_one_way(kind: str) -> None:
    model, data = pooled(kind), tiny_data(input_length=45)  # no multiple of the rate
    report = evaluate(model, data, batch_size=3)
    assert [(row.mode, row.language) for row in report.rows] == [(kind, None), (kind, "en"), (kind, "zh")]
    model.eval()
    for language in (None, "en", "zh"):
        chosen = [e for e in data.examples(0, range(len(data))) if language in (None, e.language)]
        nats, left, total = 0.0, 0, 0
        for example in chosen:
            batch = collate([example])
            with torch.no_grad():
                output = model(**batch)
            nats += float(output.loss) * len(example.labels)
            left += output.encoder_last_hidden_state.shape[1]
            total += len(example.input_ids)
        row = report.row(kind, language)  # type: ignore[arg-type]
        assert row.nats == pytest.approx(nats, rel=1e-5)
        assert row.deleted == pytest.approx(1 - left / total)
        assert row.length == pytest.approx(left / len(chosen))
    assert 0.2 < report.row(kind).deleted < 0.8  # type: ignore[arg-type]


def test_the_same_weights_without_pooling_and_a_control() -> None:
    model, data = undecided(), tiny_data()
    control = tiny_mrt5(seed=4, deletion_type=None)
    report = evaluate(model, data, modes=["full", "boundary"], control=control)
    assert [row.mode for row in report.rows if row.language is None] == ["full", "boundary", "control"]
    assert report.row("full").deleted == report.row("control").deleted == 0
    assert report.row("full").nats != report.row("boundary").nats
    plain = tiny_mrt5(deletion_type=None)
    plain.load_state_dict(model.state_dict(), strict=False)
    assert evaluate(plain, data, modes=["full"]).row("full").nats == report.row("full").nats


def test_beside_a_gate_on_the_same_batches() -> None:
    gated, data = tiny_mrt5(), tiny_data()
    both = [pooled(kind) for kind in KINDS]
    report = evaluate(gated, data, modes=["hard"], pooled=both, control=tiny_mrt5(deletion_type=None))
    assert [row.mode for row in report.rows if row.language is None] == ["hard", *KINDS, "control"]
    for one in both:
        mode: Any = one.config.deletion_type
        assert report.row(mode, "zh").nats == evaluate(one, data).row(mode, "zh").nats
    with pytest.raises(InputError, match=r"pooled: expected models that pool, got one whose .* 'scaled"):
        evaluate(gated, data, pooled=[gated])
    with pytest.raises(
        InputError, match="pooled: expected one model for each deletion_type, got two of 'bou"
    ):
        evaluate(both[0], data, pooled=both)


@pytest.mark.parametrize(
    ("kind", "modes", "message"),
    [
        ("boundary", ["soft"], "modes: 'soft' needs a gate that learned, and deletion_type is 'boundary'"),
        ("convolution", ["hard", "random"], "modes: 'hard' needs a gate that learned"),
        (
            "convolution",
            ["boundary"],
            "modes: 'boundary' needs a model that pools so, and deletion_type is 'c",
        ),
        ("scaled_sigmoid", ["hard", "convolution"], "modes: 'convolution' needs a model that pools so"),
    ],
)
def test_modes_that_are_not_there(kind: str, modes: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate(tiny_mrt5(deletion_type=kind), tiny_data(), modes=modes)


def test_there_is_no_gate_to_show() -> None:
    with pytest.raises(InputError, match="model: expected one with a gate that learned, and deletion_type"):
        look(undecided(), [("en", "text")])


# The command line

SPANS = ["--input-length", "32", "--mean-span", "3"]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "en.txt").write_text((SENTENCES[0] + "\n") * 8, "utf-8")
    (tmp_path / "zh.txt").write_text((SENTENCES[6] + "\n") * 8, "utf-8")
    return [str(tmp_path / "en.txt"), str(tmp_path / "zh.txt")]


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run(["mrt5", *arguments]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def test_train_and_eval(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = ["train", *files, "--size", "tiny", "--steps", "2", "--batch-size", "2", *SPANS, "--json"]
    plain = ["--model", str(tmp_path / "plain")]
    output(capsys, *base, "-o", str(tmp_path / "plain"), "--no-gate")
    for name, options, key, value in (
        ("one", ["--pooling", "boundary", "--prior", "0.4"], "boundary_prior", 0.4),
        ("two", ["--pooling", "convolution", "--rate", "2", *plain], "convolution_rate", 2),
        ("three", ["--pooling", "boundary", *plain], "boundary_prior", 0.2),
    ):
        log = json.loads(output(capsys, *base, "-o", str(tmp_path / name), *options))["log"]
        assert (log[-1]["alpha"] == 1) == ("boundary" in options)
        model = load_model(tmp_path / name)
        assert (model.config.deletion_type, getattr(model.config, key)) == (options[1], value)
    found = json.loads(output(capsys, "eval", str(tmp_path / "two"), *files, *SPANS, "--json"))
    assert [row["mode"] for row in found["rows"]] == ["convolution"] * 3
    assert found["rows"][0]["deleted"] == pytest.approx(0.5)
    modes = ["--modes", "full,boundary"]
    assert "boundary" in output(capsys, "eval", str(tmp_path / "one"), *files, *SPANS, *modes)
    output(capsys, "generate", str(tmp_path / "one"), "text", "--max-new-bytes", "2")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--pooling", "max"], "pooling: expected one of boundary, convolution, got 'max'"),
        (["--pooling", "boundary", "--no-gate"], "gate: expected none with --pooling boundary"),
        (["--pooling", "convolution", "--target", "0.5"], "target: expected none with --pooling convolution"),
        (["--pooling", "convolution", "--prior", "0.5"], "prior: expected none with --pooling convolution"),
        (["--rate", "3"], "rate: expected none with no --pooling"),
        (["--pooling", "boundary", "--prior", "2"], "boundary_prior: expected a number between 0 and 1"),
        (["--pooling", "boundary", "--model", "{gated}"], "cannot become 'boundary'"),
    ],
)
def test_mistakes(
    options: list[str],
    message: str,
    files: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tiny_mrt5().save_pretrained(tmp_path / "gated")
    filled = [option.format(gated=tmp_path / "gated") for option in options]
    capsys.readouterr()
    assert run(["mrt5", "train", *files, "-o", str(tmp_path / "run"), "--size", "tiny", *SPANS, *filled]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("pyfastlm: error: ")
    assert message in err


@EVERY_KIND
def test_pooling_is_kept_or_left_out(kind: str, tmp_path: Path) -> None:
    model = tiny_mrt5(deletion_type=kind)
    model.save_pretrained(tmp_path)
    kept = start_model(tmp_path, "tiny", gate=True, pooling=kind)
    for name, weight in model.state_dict().items():
        assert torch.equal(kept.state_dict()[name], weight)
    assert start_model(tmp_path, "tiny", gate=False).config.deletion_type is None
    with pytest.raises(
        InputError, match=f"model: its deletion_type is '{kind}', which cannot become 'scaled"
    ):
        start_model(tmp_path, "tiny", gate=True)
