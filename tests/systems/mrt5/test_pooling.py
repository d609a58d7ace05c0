"""Pooling: against loops over rows and groups, values and gradients; batches, masks, names, generation."""

import json
import warnings
from pathlib import Path
from typing import Any

import pooling_oracle
import pytest
import torch
from mrt5_cases import BATCH, example, make, weights_of
from pooling_oracle import Row
from safetensors.torch import load_file, save_file
from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.mrt5 import MrT5Config, MrT5ForConditionalGeneration
from pyfastlm.mrt5.loading import load_model
from pyfastlm.mrt5.pooling import _means

KINDS = ("boundary", "convolution")
CASES: dict[str, dict[str, Any]] = {
    "boundary": {"deletion_type": "boundary"},
    "boundary, no softmax1": {"deletion_type": "boundary", "use_softmax1": False, "boundary_prior": 0.6},
    "boundary, cold": {"deletion_type": "boundary", "boundary_temperature": 0.2, "delete_gate_layer": 0},
    "convolution": {"deletion_type": "convolution"},
    "convolution by 3": {"deletion_type": "convolution", "convolution_rate": 3, "use_softmax1": False},
}
EVERY_CASE = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


def pooling(seed: int = 0, bias: float = 0.0, **changes: Any) -> MrT5ForConditionalGeneration:
    """A model whose predictor is far from undecided; ``bias`` is that of its last layer."""
    model = make(seed, **changes)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("boundary_predictor.2.weight"):
                weight.mul_(4)
            elif name.endswith("boundary_predictor.2.bias"):
                weight.fill_(bias)
            elif name.endswith("down_ln.weight"):
                weight.mul_(1 + 0.2 * torch.linspace(-1, 1, len(weight)))
            elif name.endswith("boundary_predictor.0.bias"):
                weight.copy_(torch.linspace(-1, 1, len(weight)))
    return model


def by_loops(
    model: MrT5ForConditionalGeneration, ids: Tensor, mask: Tensor, uniform: Tensor | None
) -> list[Row]:
    rows, weights, config = [], dict(model.named_parameters()), model.config.to_dict()
    drawn = None if uniform is None else uniform.split(mask.sum(1).tolist())
    for b in range(len(ids)):
        positions = mask[b].nonzero().squeeze(1)
        own = None if drawn is None else drawn[b]
        rows.append(pooling_oracle.encode(weights, config, ids[b, mask[b]], positions, own))
    return rows


def losses(
    model: MrT5ForConditionalGeneration, rows: list[Row], labels: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, cross entropy, and the mean of the boundary losses."""
    weights, config = dict(model.named_parameters()), model.config.to_dict()
    logits = torch.stack(
        [
            pooling_oracle.logits(weights, config, row, of_row)
            for row, of_row in zip(rows, labels, strict=True)
        ]
    )
    entropy = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
    return logits, entropy, torch.stack([row.boundary_loss for row in rows]).mean()


def gradients(model: MrT5ForConditionalGeneration, of: Tensor) -> dict[str, Tensor]:
    names = [name for name, _ in model.named_parameters()]
    found = torch.autograd.grad(of, list(model.parameters()), retain_graph=True, allow_unused=True)
    return {name: grad for name, grad in zip(names, found, strict=True) if grad is not None}


def keep_of(rows: list[Row], mask: Tensor) -> Tensor:
    keep = torch.zeros_like(mask)
    for b, row in enumerate(rows):
        keep[b, mask[b].nonzero().squeeze(1)[row.starts]] = True
    return keep


# Values and gradients


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@EVERY_CASE
def test_as_loops_over_rows(case: dict[str, Any], training: bool) -> None:
    """Ragged, one of a single token, another with holes in its mask."""
    model = pooling(**case).double().train(training)
    ids, mask, labels = example()
    mask[1, 3:6] = False
    uniform = torch.rand(int(mask.sum()), dtype=torch.float64, generator=torch.Generator().manual_seed(7))
    model.deletion_generator = torch.Generator().manual_seed(7)
    output = model(ids, mask, labels=labels)
    rows = by_loops(model, ids, mask, uniform if training else None)
    logits, entropy, prior = losses(model, rows, labels)
    sizes = [len(row.starts) for row in rows]
    assert output.n_kept.tolist() == sizes
    assert torch.equal(output.keep, keep_of(rows, mask))
    assert output.encoder_last_hidden_state.shape[1] == max(sizes)
    assert torch.equal(output.encoder_attention_mask, torch.arange(max(sizes)) < output.n_kept[:, None])
    tight = {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(output.logits, logits, **tight)
    for b, row in enumerate(rows):
        torch.testing.assert_close(output.encoder_last_hidden_state[b, : sizes[b]], row.memory, **tight)
    assert output.gate_values is output.gate_logits is None
    terms = [(output.loss, entropy)]
    if case["deletion_type"] == "boundary":
        assert 0.2 < sum(sizes) / int(mask.sum()) < 0.8
        wanted = torch.stack([row.boundary_loss for row in rows])
        torch.testing.assert_close(output.boundary_loss, wanted, **tight)
        terms += [(output.boundary_loss.mean(), prior)] * training
    else:
        assert output.boundary_loss is None
    for found, expected in terms:
        ours, theirs = gradients(model, found), gradients(model, expected)
        assert ours.keys() == theirs.keys()
        for name, gradient in theirs.items():
            torch.testing.assert_close(ours[name], gradient, **tight, msg=name)
            assert gradient.abs().max() > 1e-7, name
        predictor = [name for name in ours if "boundary_predictor" in name]
        assert len(predictor) == (4 if training and case["deletion_type"] == "boundary" else 0)


@EVERY_KIND
def test_in_float32(kind: str) -> None:
    model = pooling(deletion_type=kind).train()
    ids, mask, labels = example()
    model.deletion_generator = torch.Generator().manual_seed(7)
    output = model(ids, labels=labels)
    uniform = torch.rand(int(mask.sum()), dtype=torch.float64, generator=torch.Generator().manual_seed(7))
    logits, entropy, prior = losses(model, by_loops(model, ids, mask, uniform), labels)
    torch.testing.assert_close(output.logits, logits, rtol=1e-5, atol=1e-5)
    total = output.loss if output.boundary_loss is None else output.loss + output.boundary_loss.mean()
    ours, theirs = gradients(model, total), gradients(model, entropy + prior)
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient, rtol=1e-5, atol=1e-5, msg=name)


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("bias", [-500.0, 500.0], ids=["no boundary", "all boundaries"])
def test_extremes(bias: float, training: bool) -> None:
    model = pooling(deletion_type="boundary", bias=bias).train(training)
    ids, mask, labels = example()
    output = model(ids, labels=labels)
    lengths = torch.tensor(BATCH)
    assert torch.equal(output.n_kept, lengths if bias > 0 else torch.ones_like(lengths))
    assert torch.equal(output.keep, mask if bias > 0 else mask & (torch.arange(mask.shape[1]) == 0))
    uniform = torch.full((int(mask.sum()),), 0.5, dtype=torch.float64) if training else None
    logits, _, _ = losses(model, by_loops(model, ids, mask, uniform), labels)
    torch.testing.assert_close(output.logits, logits, rtol=1e-5, atol=1e-5)


def test_prior_at_every_count() -> None:
    """Against torch's binomial distribution, at all counts of a length."""
    model = pooling(deletion_type="boundary", boundary_prior=0.3)
    ids = torch.randint(3, 259, (1, 9))
    predictor = model.encoder.block[2].boundary_predictor
    for count in range(1, 10):
        ends = torch.zeros(9)
        ends[9 - count :] = 1
        predictor.forward = lambda x, generator, ends=ends: ends
        output = model(ids, decoder_input_ids=ids)
        assert int(output.n_kept) == count
        wanted = -torch.distributions.Binomial(9, torch.tensor(0.3)).log_prob(torch.tensor(float(count))) / 9
        torch.testing.assert_close(output.boundary_loss, wanted[None], rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_draws() -> None:
    """A boundary is as likely as the predictor says; a seed decides; evaluation draws nothing."""
    model = pooling(deletion_type="boundary", bias=0.5, num_decoder_layers=1).train()
    ids = example()[0][:1].repeat(400, 1)
    mlp, logits = model.encoder.block[2].boundary_predictor.boundary_predictor, []
    mlp.register_forward_hook(lambda *a: logits.append(a[2].view(len(ids), -1)))

    def keep(seed: int) -> Tensor:
        model.deletion_generator = torch.Generator().manual_seed(seed)
        return model.encoder(ids).keep

    drawn = keep(1)
    assert torch.equal(keep(1), drawn)
    assert not torch.equal(keep(2), drawn)
    likely = torch.sigmoid(logits[0][0, :-1])
    found = drawn.float().mean(0)[1:]  # what follows a boundary starts a segment
    assert float((found - likely).abs().max()) < 0.1
    assert float(likely.std()) > 0.1
    model.eval()
    assert torch.equal(keep(1), keep(2))


# Batches and masks


@EVERY_KIND
@torch.no_grad()
def test_a_row_does_not_depend_on_its_batch(kind: str) -> None:
    model = pooling(deletion_type=kind)
    ids, mask, labels = example()
    together = model(ids, labels=labels)
    for b in range(len(ids)):
        alone = model(ids[b : b + 1, mask[b]], labels=labels[b : b + 1])
        torch.testing.assert_close(together.logits[b], alone.logits[0], rtol=1e-5, atol=1e-5)
        assert torch.equal(together.keep[b, mask[b]], alone.keep[0])
        if kind == "boundary":
            torch.testing.assert_close(together.boundary_loss[b], alone.boundary_loss[0])


def test_gradients_do_not_leak_into_other_rows() -> None:
    """What is summed over a later row cancels, but in float32 only to the precision of that row."""
    x = torch.randn(30, 5, generator=torch.Generator().manual_seed(0))
    x[12:] *= 1e7
    wanted = torch.ones(30, 5)

    def gradient(rows: int) -> Tensor:
        ends = (torch.arange(rows) % 4 == 3).float()  # the first row ends at 12
        ends[-1] = 1
        ends.requires_grad_()
        starts = (ends.detach() > 0.5).roll(1)
        pooled = _means(x[:rows], ends, starts, starts.nonzero().squeeze(1))
        (pooled * wanted[: len(pooled)]).sum().backward()
        return ends.grad[:12]

    alone = gradient(12)
    assert alone.abs().max() > 0.1
    torch.testing.assert_close(gradient(30), alone)


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@EVERY_KIND
def test_rows_without_tokens(kind: str, training: bool) -> None:
    model = pooling(deletion_type=kind, bias=-500.0).train(training)
    ids, mask, labels = example()
    expected = model(ids, mask, labels=labels)
    mask[0] = mask[2] = mask[4] = False  # first, in between, last
    output = model(ids, mask, labels=labels)
    assert output.n_kept[[0, 2, 4]].tolist() == [0, 0, 0]
    for b in (1, 3):
        torch.testing.assert_close(output.logits[b], expected.logits[b], rtol=1e-5, atol=1e-5)
    assert output.logits.isfinite().all()
    if kind == "boundary":
        assert (output.boundary_loss[[0, 2, 4]] == 0).all()
        assert (output.boundary_loss[[1, 3]] > 0).all()
    nothing = model(ids, torch.zeros_like(mask), labels=labels)
    (nothing.loss if kind == "convolution" else nothing.loss + nothing.boundary_loss.mean()).backward()
    assert nothing.n_kept.sum() == 0
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@EVERY_KIND
def test_really_shorter_and_never_soft(kind: str) -> None:
    model = pooling(deletion_type=kind)
    ids, mask, labels = example()
    lengths: list[int] = []
    for block in model.encoder.block:
        block.layer[0].register_forward_pre_hook(lambda _, inputs: lengths.append(len(inputs[0])))
    for training in (False, True):
        model.train(training)
        outputs = []
        for hard in (False, True):
            model.deletion_generator = torch.Generator().manual_seed(1)
            outputs.append(model(ids, labels=labels, hard_delete=hard))
        assert torch.equal(outputs[0].logits, outputs[1].logits)
        rows, left = int(mask.sum()), int(outputs[0].n_kept.sum())
        assert lengths == [rows, rows, left, left] * 2
        assert left < 0.8 * rows
        lengths.clear()


@EVERY_KIND
@pytest.mark.parametrize("reentrant", [False, True])
def test_gradient_checkpointing(kind: str, reentrant: bool) -> None:
    model = pooling(deletion_type=kind, dropout_rate=0.2).train()
    ids, _, labels = example()

    def run() -> dict[str, Tensor]:
        torch.manual_seed(5)
        model.zero_grad()
        output = model(ids, labels=labels)
        (output.loss if kind == "convolution" else output.loss + output.boundary_loss.mean()).backward()
        return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    expected = run()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model.gradient_checkpointing_enable({"use_reentrant": reentrant})
    calls: list[int] = []
    model.encoder.block[2].register_forward_pre_hook(lambda *_: calls.append(1))
    found = run()
    assert len(calls) == 2
    assert found.keys() == expected.keys()
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], msg=name)


@EVERY_KIND
@pytest.mark.parametrize("way", [{"do_sample": False}, {"num_beams": 3}], ids=["greedy", "beams"])
def test_generation_in_a_batch_is_one_by_one(kind: str, way: dict[str, Any]) -> None:
    model = pooling(deletion_type=kind)
    ids, mask, _ = example()
    together = model.generate(ids, max_new_tokens=6, **way)
    assert torch.equal(together, model.generate(ids, max_new_tokens=6, use_cache=False, **way))
    assert len(torch.unique(together, dim=0)) > 1
    for b in range(len(ids)):
        alone = model.generate(ids[b : b + 1, mask[b]], max_new_tokens=6, **way)[0]
        assert torch.equal(together[b, : len(alone)], alone)
        assert not together[b, len(alone) :].any()


# Weights and configuration

NAMES = {
    "boundary": {
        "boundary_predictor.boundary_predictor.0.weight": (40, 48),
        "boundary_predictor.boundary_predictor.0.bias": (40,),
        "boundary_predictor.boundary_predictor.2.weight": (1, 40),
        "boundary_predictor.boundary_predictor.2.bias": (1,),
        "down_ln.weight": (48,),
    },
    "convolution": {
        "downsampling_module.conv.weight": (48, 48, 4),
        "downsampling_module.conv.bias": (48,),
        "down_ln.weight": (48,),
    },
}


@EVERY_KIND
def test_names_and_round_trip(kind: str, tmp_path: Path) -> None:
    model = pooling(deletion_type=kind, boundary_prior=0.4, boundary_temperature=0.7, delete_gate_layer=1)
    plain = {name: tuple(weight.shape) for name, weight in make(deletion_type=None).state_dict().items()}
    wanted = plain | {f"encoder.block.1.{name}": shape for name, shape in NAMES[kind].items()}
    assert {name: tuple(weight.shape) for name, weight in model.state_dict().items()} == wanted
    model.save_pretrained(tmp_path)
    found, info = MrT5ForConditionalGeneration.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert found.config.deletion_type == kind
    assert (found.config.boundary_prior, found.config.boundary_temperature) == (0.4, 0.7)
    for name, weight in weights_of(found).items():
        assert torch.equal(weight, weights_of(model)[name])
    ids, _, labels = example()
    assert torch.equal(found(ids, labels=labels).logits, model(ids, labels=labels).logits)


@EVERY_KIND
def test_a_fresh_pooling(kind: str, tmp_path: Path) -> None:
    plain = make(deletion_type=None)
    plain.save_pretrained(tmp_path / "plain")
    torch.manual_seed(3)
    model = load_model(tmp_path / "plain", deletion_type=kind)
    for name, weight in plain.state_dict().items():
        assert torch.equal(weight, model.state_dict()[name]), name
    fresh = {name: w for name, w in weights_of(model).items() if name not in plain.state_dict()}
    assert (fresh.pop("encoder.block.2.down_ln.weight") == 1).all()
    if kind == "boundary":
        prefix = "encoder.block.2.boundary_predictor.boundary_predictor"
        assert (fresh.pop(f"{prefix}.2.bias") == -1).all()
        assert (fresh.pop(f"{prefix}.0.bias") == 0).all()
    for name, weight in fresh.items():
        assert 0 < weight.abs().max() < 0.6, name
    gated = tmp_path / "gated"
    make().save_pretrained(gated)
    with pytest.raises(InputError, match=r"^checkpoint: expected weights 'encoder.block.2."):
        load_model(gated, deletion_type=kind)


@EVERY_KIND
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision(kind: str, dtype: torch.dtype, tmp_path: Path) -> None:
    model = pooling(deletion_type=kind, bias=-500.0)
    model.save_pretrained(tmp_path)
    half = MrT5ForConditionalGeneration.from_pretrained(tmp_path, dtype=dtype)
    ids, _, labels = example()
    exact, rounded = model(ids, labels=labels), half.train()(ids, labels=labels)
    assert torch.equal(exact.n_kept, rounded.n_kept)
    torch.testing.assert_close(rounded.loss, exact.loss, rtol=0.02, atol=0.02)
    assert rounded.encoder_last_hidden_state.dtype == dtype
    if kind == "boundary":
        assert rounded.boundary_loss.dtype == torch.float32
        torch.testing.assert_close(rounded.boundary_loss, exact.boundary_loss)
    rounded.loss.backward()
    assert half.shared.weight.grad.isfinite().all()


def test_weights_that_lack_or_do_not_fit(tmp_path: Path) -> None:
    pooling(deletion_type="convolution").save_pretrained(tmp_path)
    with pytest.raises(InputError, match="name_or_path: cannot load an MrT5"):
        load_model(tmp_path, convolution_rate=3)
    with pytest.raises(InputError, match=r"expected weights 'encoder.block.1.down_ln.weight'"):
        load_model(tmp_path, delete_gate_layer=1)
    assert load_model(tmp_path, deletion_type=None).config.deletion_type is None
    file = tmp_path / "model.safetensors"
    rest = {name: weight for name, weight in load_file(file).items() if "wi_0" not in name}
    save_file(rest, file, {"format": "pt"})
    with pytest.raises(InputError, match=r"expected weights '.*wi_0.weight'"):
        load_model(tmp_path)


def test_old_configurations_load(tmp_path: Path) -> None:
    make().save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    found = json.loads(path.read_text())
    for name in ("boundary_prior", "boundary_temperature", "convolution_rate"):
        del found[name]
    path.write_text(json.dumps(found))
    config = MrT5Config.from_pretrained(tmp_path)
    assert (config.boundary_prior, config.boundary_temperature, config.convolution_rate) == (0.2, 0.5, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"deletion_type": "pool"}, "deletion_type: expected None or one of .*, boundary, convolution, got"),
        ({"boundary_prior": 0}, "boundary_prior: expected a number between 0 and 1, got 0"),
        ({"boundary_prior": 1.0}, "boundary_prior: expected a number between 0 and 1, got 1.0"),
        ({"boundary_prior": None}, "boundary_prior: expected a number between 0 and 1, got None"),
        ({"boundary_temperature": 0.0}, "boundary_temperature: expected a number above 0, got 0.0"),
        ({"convolution_rate": 0}, "convolution_rate: expected an integer of at least 1, got 0"),
        ({"convolution_rate": 2.0}, "convolution_rate: expected an integer of at least 1, got 2.0"),
        ({"deletion_type": "boundary", "delete_gate_layer": 12}, "delete_gate_layer: expected a block"),
    ],
)
def test_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        MrT5Config(**changes)
