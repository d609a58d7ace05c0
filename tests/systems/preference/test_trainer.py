"""The trainer on TRL's: its losses, gradients and metrics are TRL's own."""

import warnings
from typing import Any

import pytest
import torch
from preferences import PAIRS, small_lm

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    trl = pytest.importorskip("trl")
    datasets = pytest.importorskip("datasets")
    peft = pytest.importorskip("peft")

from pyfastlm.errors import Unavailable
from pyfastlm.preference import APOTrainer, precompute
from pyfastlm.preference.pairs import to_trl
from pyfastlm.preference.references import trl_rows

pytestmark = pytest.mark.filterwarnings("ignore")  # of three libraries
datasets.disable_progress_bars()
GEMMA = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "initializer_range": 0.2,
    "final_logit_softcapping": 3.0,
}


def trained(
    make: Any, directory: Any, lm: Any, *, adapters: bool = False, rows: Any = None, **options: Any
) -> Any:
    settings = {
        "output_dir": str(directory),
        "max_steps": 2,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 2,
        "learning_rate": 1e-2,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "use_cpu": True,
        "bf16": False,
        "disable_tqdm": True,
        "max_length": 60,
        "precompute_ref_log_probs": True,
    }
    lora = peft.LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM") if adapters else None
    torch.manual_seed(0)
    trainer = make(
        lm.model,
        args=trl.DPOConfig(**(settings | options)),
        train_dataset=datasets.Dataset.from_list([*to_trl(PAIRS)] if rows is None else rows),
        processing_class=lm.tokenizer,
        peft_config=lora,
    )
    trainer.train()
    return trainer


def log(trainer: Any) -> list[dict[str, float]]:
    times = ("runtime", "per_second", "flos")
    entries = trainer.state.log_history
    found = [{k: v for k, v in entry.items() if not any(t in k for t in times)} for entry in entries]
    del found[0]["rewards/accuracies"]  # of rewards that are 0 up to rounding
    return found


def weights(trainer: Any) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in trainer.model.parameters() if p.requires_grad])


CASES = {
    "apo_zero": {"loss_type": "apo_zero", "gradient_checkpointing": False},
    "apo_down, checkpointing": {"loss_type": "apo_down", "gradient_checkpointing": True},
    "apo_zero, adapters": {"loss_type": "apo_zero", "adapters": True, "precompute_ref_log_probs": False},
    "a sum of two": {"loss_type": ["apo_zero", "ipo"], "loss_weights": [1.0, 0.3]},
    "lengths desensitised": {"loss_type": "apo_zero", "ld_alpha": 0.4},
    "ends kept": {"loss_type": "apo_down", "max_length": 25, "truncation_mode": "keep_end"},
}


@pytest.mark.parametrize("case", CASES)
def test_it_trains_as_trl_does(case, tmp_path) -> None:
    expected = trained(trl.DPOTrainer, tmp_path, small_lm(), **CASES[case])
    found = trained(APOTrainer, tmp_path, small_lm(), **CASES[case])
    assert found.notes == ()
    assert len(log(found)) == len(log(expected)) == 3
    for ours, theirs in zip(log(found), log(expected), strict=True):
        assert ours == pytest.approx(theirs, rel=2e-4, abs=2e-5)
    assert log(found)[0] == pytest.approx(log(expected)[0], rel=2e-6, abs=2e-5)
    torch.testing.assert_close(weights(found), weights(expected), rtol=1e-3, atol=2e-3)


def test_bf16_by_autocast(tmp_path) -> None:
    options = {"loss_type": "apo_zero", "gradient_checkpointing": True, "bf16": True}
    expected = trained(trl.DPOTrainer, tmp_path, small_lm(), **options)
    found = trained(APOTrainer, tmp_path, small_lm(), **options)
    assert found.notes == ()
    for name in ("loss", "logps/chosen", "logps/rejected", "entropy", "logits/chosen"):
        for ours, theirs in zip(log(found)[:2], log(expected)[:2], strict=True):
            assert ours[name] == pytest.approx(theirs[name], rel=0.02, abs=0.05), name


def test_capped_logits_that_cannot_be_packed(tmp_path) -> None:
    options = {"loss_type": "apo_zero", "gradient_checkpointing": False}
    expected = trained(trl.DPOTrainer, tmp_path, small_lm("Gemma2", **GEMMA), **options)
    found = trained(APOTrainer, tmp_path, small_lm("Gemma2", **GEMMA), **options)
    assert "softcap" in found.notes[0]
    for ours, theirs in zip(log(found), log(expected), strict=True):
        assert ours == pytest.approx(theirs, rel=2e-4, abs=2e-5)


def test_columns_of_the_reference_are_used_as_they_are(tmp_path) -> None:
    lm = small_lm()
    found = precompute(lm, PAIRS, max_length=60)
    shifted = found._replace(ref_chosen_logps=found.ref_chosen_logps - 7)
    trainer = trained(APOTrainer, tmp_path, lm, rows=[*trl_rows(PAIRS, shifted)], loss_type="apo_zero")
    assert log(trainer)[0]["rewards/chosen"] == pytest.approx(0.7, abs=1e-4)
    assert log(trainer)[0]["rewards/rejected"] == pytest.approx(0.0, abs=1e-4)


def test_another_version_is_refused(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(trl, "__version__", "1.17.0")
    with pytest.raises(Unavailable, match=r"fits TRL 1\.16, found 1\.17\.0"):
        trained(APOTrainer, tmp_path, small_lm())
