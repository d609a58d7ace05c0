"""Adapters against PEFT, switched on and off without a trace; their files, and hostile ones."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from preferences import small_lm
from programs import small_engine
from torch import Tensor

from pyfastlm.errors import InputError
from pyfastlm.together import HFEngine
from pyfastlm.together.adapter import Adapter, fresh
from pyfastlm.together.adapter_files import CONFIG, TENSORS
from pyfastlm.together.weights import Weights

IDS = torch.tensor([[5, 60, 200, 7, 33, 91]])
TARGETS = ("q_proj", "k_proj")


def logits(model: Any) -> Tensor:
    with torch.inference_mode():
        found: Tensor = model(input_ids=IDS, use_cache=False).logits
        return found


def trained(model: Any, *, seed: int = 0, targets: tuple[str, ...] = TARGETS) -> Adapter:
    """An adapter that changes something."""
    start = fresh(model, targets, rank=4, alpha=8.0, seed=seed)
    drawn_by = torch.Generator().manual_seed(seed + 1)
    pairs = {n: (a, torch.randn(b.shape, generator=drawn_by) * 0.3) for n, (a, b) in start.pairs.items()}
    return Adapter(4, 8.0, pairs)


def test_a_fresh_adapter_changes_nothing_and_off_is_exact() -> None:
    model = small_lm().model
    before = logits(model)
    with fresh(model, TARGETS, rank=4, alpha=8.0, seed=0).applied(model):
        assert torch.equal(logits(model), before)
    with trained(model).applied(model):
        assert not torch.allclose(logits(model), before, atol=1e-2)
    assert torch.equal(logits(model), before)


def test_applied_is_merged() -> None:
    lm = small_lm()
    adapter = trained(lm.model, targets=("all-linear",))
    with adapter.applied(lm.model):
        applied = logits(lm.model)
    assert len(adapter.pairs) == 14
    merged = small_lm().model
    with torch.no_grad():
        for name in adapter.pairs:
            merged.get_submodule(name).weight += adapter.change(name)
    torch.testing.assert_close(applied, logits(merged), rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # of PEFT
def test_peft_reads_what_is_written_and_the_other_way(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    lm = small_lm()
    weights = Weights(lm, "tiny")
    model_id = weights.add(trained(lm.model))
    weights.save(model_id, tmp_path / "ours")
    with weights.using(model_id):
        expected = logits(lm.model)
    theirs = peft.PeftModel.from_pretrained(small_lm().model, tmp_path / "ours").eval()
    torch.testing.assert_close(logits(theirs), expected, rtol=1e-5, atol=1e-5)
    theirs.save_pretrained(tmp_path / "theirs", save_embedding_layers=False)
    again = Weights(small_lm(), "tiny")
    assert again.load(tmp_path / "theirs") == model_id
    assert again.hash(model_id) == weights.hash(model_id)


def test_ids_are_of_the_weights_and_switching_leaves_no_trace() -> None:
    engine = small_engine()
    weights = engine.weights
    ids = [weights.add(trained(weights.lm.model, seed=seed)) for seed in (0, 1)]
    assert weights.add(trained(weights.lm.model, seed=0)) == ids[0]
    assert len({engine.model_id, *ids}) == 3
    assert weights.ids == (engine.model_id, *ids)
    asked = [("user", "Il mercato apre presto")]

    def text(model_id: str) -> str:
        return engine.answers([engine.call(asked, model_id=model_id, max_tokens=8)])[0].text

    first = [text(model_id) for model_id in weights.ids]
    assert len(set(first)) == 3
    # Whatever the cache has of other weights.
    assert [text(model_id) for model_id in weights.ids] == first
    mixed = [engine.call(asked, model_id=model_id, max_tokens=8) for model_id in (*weights.ids, *weights.ids)]
    assert [answer.text for answer in engine.answers(mixed)] == first * 2


def test_the_distance_is_that_of_the_merged_weights() -> None:
    lm = small_lm()
    weights = Weights(lm, "tiny")
    adapter = trained(lm.model)
    change = torch.cat([adapter.change(name).flatten() for name in adapter.pairs]).double()
    weight = [lm.model.get_submodule(name).weight.detach().flatten() for name in adapter.pairs]
    base = torch.cat(weight).double()
    found = weights.distance(weights.add(adapter))
    assert found.norm == pytest.approx(float(change.norm()), rel=1e-5)
    assert found.relative == pytest.approx(float(change.norm() / base.norm()), rel=1e-5)
    assert weights.distance(weights.base) == (0.0, 0.0)


def test_unknown_weights() -> None:
    weights = Weights(small_lm(), "tiny")
    for asking in (weights.hash, weights.distance, weights.adapter, weights.model):
        with pytest.raises(InputError, match=r"no weights are known as 'hf/x', only hf/tiny; load them"):
            asking("hf/x")
    with pytest.raises(InputError, match="is the base, of which nothing has to be saved"):
        weights.save("hf/tiny", "somewhere")
    with pytest.raises(InputError, match="target_modules: 'v' is no linear layer; there are down_proj"):
        fresh(small_lm().model, ("v",), rank=1, alpha=1.0, seed=0)


def saved(directory: Path) -> tuple[Weights, Path]:
    lm = small_lm()
    weights = Weights(lm, "tiny")
    weights.save(weights.add(trained(lm.model)), directory / "a")
    return Weights(lm, "tiny"), directory / "a"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"r": 5}, r"expected \[5, 48\] for .*, got \[4, 48\]"),
        ({"r": 0}, "expected a whole number >= 1 for r, got 0"),
        ({"r": True}, "expected a whole number >= 1 for r, got True"),
        ({"lora_alpha": "8"}, "expected a number for lora_alpha, got '8'"),
        ({"use_dora": True}, "use_dora True is not supported"),
        ({"use_rslora": True}, "use_rslora True is not supported"),
        ({"peft_type": "IA3"}, "peft_type 'IA3' is not supported"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save .* is not supported"),
    ],
)
def test_configurations_that_would_be_read_wrongly(tmp_path: Path, changes: Any, message: str) -> None:
    weights, path = saved(tmp_path)
    config = json.loads((path / CONFIG).read_text())
    (path / CONFIG).write_text(json.dumps(config | changes))
    with pytest.raises(InputError, match=message):
        weights.load(path)


def test_damaged_files(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights, path = saved(tmp_path)
    whole = (path / TENSORS).read_bytes()
    tensors = load_file(path / TENSORS)
    name = min(tensors)
    for made, message in (
        ({**tensors, "more": torch.zeros(1)}, "holds 'more', which is no part of an adapter"),
        ({n: t for n, t in tensors.items() if n != name.replace("lora_A", "lora_B")}, "got nothing"),
        ({**tensors, name: tensors[name] * float("nan")}, "is not finite"),
        ({n.replace("layers.1", "layers.9"): t for n, t in tensors.items()}, "the model does not have"),
        ({}, "holds nothing"),
    ):
        save_file(made, path / TENSORS)
        with pytest.raises(InputError, match=message):
            weights.load(path)
    for content in (b"", whole[:100], b"\xff" * 200):
        (path / TENSORS).write_bytes(content)
        with pytest.raises(InputError, match="directory: cannot read"):
            weights.load(path)
    for text, message in (("[]", "expected an object"), ("{", "cannot read"), ("[" * 100_000, "cannot read")):
        (path / CONFIG).write_text(text)
        with pytest.raises(InputError, match=message):
            weights.load(path)
    assert weights.ids == ("hf/tiny",)


def test_a_saved_directory_is_never_replaced(tmp_path: Path) -> None:
    weights, path = saved(tmp_path)
    model_id = weights.load(path)
    with pytest.raises(InputError, match="expected a new directory"):
        weights.save(model_id, path)
    with pytest.raises(InputError, match="weights: expected 'hf/tiny@00' in"):
        weights.load_all({"hf/tiny@00": path})


def test_states_name_the_places_of_weights(tiny_engine_dir: Path, tmp_path: Path) -> None:
    engine = HFEngine(tiny_engine_dir)
    model_id = engine.weights.add(trained(engine.weights.lm.model))
    engine.weights.save(model_id, tmp_path / "adapter")
    state = json.loads(json.dumps(engine.dump_state()))
    assert state["weights"] == {model_id: str(tmp_path / "adapter")}
    del engine
    again = HFEngine.load_state(state)
    assert model_id in again.weights
