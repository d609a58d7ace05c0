"""The Trainer whose loss needs no logits: the same losses, gradients and weights as that of transformers."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from architectures import WIDTH, build
from torch import Tensor

from pyfastlm.errors import InputError, MissingExtra
from pyfastlm.lm.training import register_attention

pytest.importorskip("accelerate", reason="the Trainer needs accelerate")
pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"
)

HEADS = {"head_dim": 8}
SMALL_GPT = {"n_embd": WIDTH, "n_head": 4, "n_layer": 2, "n_positions": 128}
NO_DROPOUT = {"attn_pdrop": 0.0, "resid_pdrop": 0.0, "embd_pdrop": 0.0}
TIED = {"tie_word_embeddings": True}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", {"num_key_value_heads": 4}),
    "grouped queries, tied": ("Qwen3", HEADS | TIED),
    "gpt-2": ("GPT2", SMALL_GPT | NO_DROPOUT),
    "gpt-neox": ("GPTNeoX", {}),
    "scaled logits": ("Granite", {"logits_scaling": 4.0}),
    "bias in the last projection": ("Phi", {}),
}
LLAMA = MODELS["llama"]


def rows(count: int, seed: int = 0) -> list[dict[str, list[int]]]:
    """Of 2 to 40 tokens; a third of them, at the start, is not learnt."""
    random = torch.Generator().manual_seed(seed)
    lengths = (2 + 38 * torch.rand(count, generator=random) ** 3).int().tolist()
    drawn = [torch.randint(3, 400, (length,), generator=random).tolist() for length in lengths]
    return [{"input_ids": ids, "labels": [-100] * (len(ids) // 3) + ids[len(ids) // 3 :]} for ids in drawn]


def padded(features: list[dict[str, list[int]]]) -> dict[str, Tensor]:
    def pad(parts: list[list[int]], value: int) -> Tensor:
        return torch.nn.utils.rnn.pad_sequence(
            [*map(torch.tensor, parts)], batch_first=True, padding_value=value
        )

    ids, labels = ([feature[name] for feature in features] for name in ("input_ids", "labels"))
    mask = [[1] * len(each) for each in ids]
    return {"input_ids": pad(ids, 0), "attention_mask": pad(mask, 0), "labels": pad(labels, -100)}


def trainer(kind: str, model: Any, directory: Path, **options: Any) -> Any:
    """``stock`` is transformers' with padding; ``ours`` has neither padding nor logits."""
    import transformers

    from pyfastlm.lm.training import Trainer

    given = {
        "max_steps": 2,
        "per_device_train_batch_size": 4,
        "optim": "sgd",
        "learning_rate": 0.1,
        "lr_scheduler_type": "constant",
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
        "use_cpu": True,
    }
    collate = padded if kind == "stock" else transformers.DataCollatorWithFlattening()
    passed = {"data_collator": collate, "train_dataset": rows(16), "eval_dataset": rows(6)}
    passed |= {
        name: options.pop(name) for name in options.keys() & {*passed, "compute_metrics", "compute_loss_func"}
    }
    if passed["data_collator"] is not padded:
        model.set_attn_implementation(register_attention())
    arguments = transformers.TrainingArguments(str(directory), **given | options)
    return (transformers.Trainer if kind == "stock" else Trainer)(model, arguments, **passed)


def weights(model: Any) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def trained(
    kind: str, case: tuple[str, dict[str, Any]], directory: Path, **options: Any
) -> tuple[Any, list[float]]:
    """The weights after some steps, and the loss of each."""
    made = trainer(kind, build(*case).model, directory, **options)
    made.train()
    return weights(made.model), [entry["loss"] for entry in made.state.log_history if "loss" in entry]


def close(a: Any, b: Any) -> None:
    torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", MODELS)
def test_loss_and_gradients(case: str, tmp_path: Path) -> None:
    found = {}
    for kind in ("stock", "ours"):
        made = trainer(kind, build(*MODELS[case]).model, tmp_path)
        batch = made.data_collator(rows(5))
        loss = made.training_step(made.model, batch, num_items_in_batch=torch.tensor(40))
        found[kind] = loss, {name: p.grad for name, p in made.model.named_parameters()}
    close(found["ours"], found["stock"])


def test_loss_and_gradients_of_capped_logits(tmp_path: Path) -> None:
    """The attention of Gemma 2 is capped too, so that its batches are padded."""
    case = (
        "Gemma2",
        HEADS | {"query_pre_attn_scalar": 8, "sliding_window": 64, "final_logit_softcapping": 3.0},
    )
    close(trained("ours", case, tmp_path, data_collator=padded), trained("stock", case, tmp_path))


@pytest.mark.parametrize("optimizer", [{"optim": "sgd"}, {"optim": "adamw_torch", "learning_rate": 1e-3}])
def test_weights_after_some_steps(optimizer: dict[str, Any], tmp_path: Path) -> None:
    case = MODELS["grouped queries, tied"]
    options = optimizer | {"max_steps": 4, "max_grad_norm": 0.5}
    (ours, losses), (stock, expected) = (
        trained(kind, case, tmp_path, **options) for kind in ("ours", "stock")
    )
    assert losses[-1] < losses[0]
    close(losses, expected)
    # AdamW divides by the size of a gradient, however small and rounded.
    tolerance = 1e-5 if optimizer["optim"] == "sgd" else 2e-4
    torch.testing.assert_close(ours, stock, rtol=0, atol=tolerance)


def test_accumulated_gradients_do_not_depend_on_the_portions(tmp_path: Path) -> None:
    """Portions have different numbers of tokens, and means of means would show."""
    expected = trained("stock", LLAMA, tmp_path, per_device_train_batch_size=8)
    for size in (8, 4, 2):
        portions = {"per_device_train_batch_size": size, "gradient_accumulation_steps": 8 // size}
        close(trained("ours", LLAMA, tmp_path, **portions), expected)


@pytest.mark.parametrize("case", ["grouped queries, tied", "gpt-2"])
def test_gradient_checkpointing_changes_nothing(case: str, tmp_path: Path) -> None:
    usual, again = (
        trained("ours", MODELS[case], tmp_path, activation_checkpointing=on) for on in (False, True)
    )
    close(again, usual)


def test_a_checkpoint_goes_on(tmp_path: Path) -> None:
    options = {"max_steps": 4, "optim": "adamw_torch", "save_strategy": "steps", "save_steps": 2}
    whole, _ = trained("ours", LLAMA, tmp_path, **options)
    made = trainer("ours", build(*LLAMA).model, tmp_path, **options)
    made.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    assert made.state.global_step == 4
    torch.testing.assert_close(weights(made.model), whole, rtol=0, atol=0)


def test_evaluation(tmp_path: Path) -> None:
    options = {"per_device_eval_batch_size": 4}
    ours, stock = (
        trainer(kind, build(*LLAMA).model, tmp_path, **options).evaluate()["eval_loss"]
        for kind in ("ours", "stock")
    )
    assert ours == pytest.approx(stock, abs=1e-5)


def test_adapters(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    found = {}
    for kind in ("stock", "ours"):
        torch.manual_seed(0)
        config = peft.LoraConfig(target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
        made = trainer(kind, build(*LLAMA).model, tmp_path)
        made = trainer(kind, peft.get_peft_model(made.model, config), tmp_path, activation_checkpointing=True)
        made.train()
        found[kind] = {name: p.detach() for name, p in made.model.named_parameters() if p.requires_grad}
    assert found["ours"]
    close(found["ours"], found["stock"])


def test_autocast_and_training_again(tmp_path: Path) -> None:
    model = build(*MODELS["grouped queries, tied"]).model
    exact = trained("stock", MODELS["grouped queries, tied"], tmp_path)[1]
    made = trainer("ours", model, tmp_path, bf16=True)
    made.train()
    assert [entry["loss"] for entry in made.state.log_history[:2]] == pytest.approx(exact, rel=2e-2)
    assert trainer("ours", model, tmp_path, bf16=True).train().training_loss < exact[0]


def test_there_are_no_logits(tmp_path: Path) -> None:
    made = trainer("ours", build(*LLAMA).model, tmp_path)
    _, outputs = made.compute_loss(made.model, made.data_collator(rows(3)), return_outputs=True)
    assert outputs.logits.numel() == 0
    assert not made.model.model._forward_hooks


def test_other_uses_of_the_model_are_left_alone(tmp_path: Path) -> None:
    made = trainer("ours", build(*LLAMA).model, tmp_path)
    made.train()
    batch = made.data_collator(rows(3))
    assert made.model(**batch).logits.shape == (*batch["input_ids"].shape, made.model.config.vocab_size)


class OddHead(torch.nn.Linear):
    """A last step that no configuration tells of."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(super().forward(x)) * 4


def test_a_head_that_is_not_linear_is_refused(tmp_path: Path) -> None:
    model = build(*LLAMA).model
    model.lm_head.__class__ = OddHead
    with pytest.raises(InputError, match="model: expected a plain linear layer as its last projection"):
        trainer("ours", model, tmp_path)


REFUSED: dict[str, Any] = {
    "label_smoothing_factor": 0.1,
    "compute_metrics": lambda predicted: {},
    "compute_loss_func": lambda *given, **options: 0.0,
    "torch_compile": True,
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_needs_logits_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{name}: expected none, got .*; use transformers.Trainer"):
        trainer("ours", build(*LLAMA).model, tmp_path, **{name: REFUSED[name]})


def test_predictions_are_refused(tmp_path: Path) -> None:
    made = trainer("ours", build(*LLAMA).model, tmp_path)
    with pytest.raises(InputError, match="prediction_loss_only: expected True"):
        made.predict(rows(2))


def test_batches_without_labels_are_refused(tmp_path: Path) -> None:
    made = trainer("ours", build(*LLAMA).model, tmp_path)
    batch = made.data_collator(rows(2))
    del batch["labels"]
    with pytest.raises(InputError, match="labels: expected some in every batch"):
        made.compute_loss(made.model, batch)


def test_labels_of_another_length_are_refused(tmp_path: Path) -> None:
    """Prompts that are learnt stand before the tokens, and have no labels."""
    peft = pytest.importorskip("peft")
    config = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2)
    made = trainer("ours", peft.get_peft_model(build(*LLAMA).model, config), tmp_path, data_collator=padded)
    with pytest.raises(InputError, match=r"labels: expected one for each token that the model reads, \[2, "):
        made.compute_loss(made.model, padded(rows(2)))


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pyfastlm.lm.training.trainer", raising=False)
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(
        MissingExtra, match=r'accelerate is not installed; run: pip install "pyfastlm\[training\]"'
    ):
        from pyfastlm.lm.training import Trainer  # noqa: F401


PROCESS = """
import sys
from pathlib import Path

sys.path[:0] = sys.argv[1:3]
import test_training as tests
import torch

portions = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2, "ddp_backend": "gloo"}
weights, losses = tests.trained("ours", tests.LLAMA, Path("out"), **portions)
if torch.distributed.get_rank() == 0:
    torch.save((weights, losses), "found.pt")
"""


@pytest.mark.slow
def test_two_processes_train_as_one_does(tmp_path: Path) -> None:
    (tmp_path / "process.py").write_text(PROCESS)
    here = Path(__file__).parent
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run(
        [*command, "process.py", str(here), str(here.parent)], cwd=tmp_path, check=True, capture_output=True
    )
    close(torch.load(tmp_path / "found.pt"), trained("ours", LLAMA, tmp_path, per_device_train_batch_size=8))
