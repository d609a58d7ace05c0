"""Fine-tuning on prompts: completions are learnt, the model given is left, and what is missing is named."""

import sys
from pathlib import Path

import pytest
import torch

from pyfastlm.errors import InputError, MissingExtra
from pyfastlm.lm import LM, Scorer, load, tuned_model
from pyfastlm.lm.finetuning import Example, finetune

EXAMPLES = [Example(f"Colour {n % 4}:", f" {('red', 'blue', 'green', 'white')[n % 4]}\n") for n in range(64)]


@pytest.fixture(scope="module")
def lm(tiny_lm_dir: Path) -> LM:
    return load(tiny_lm_dir)


def test_completions_are_learnt(lm: LM, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = {name: weight.clone() for name, weight in lm.model.state_dict().items()}
    done = finetune(lm, iter(EXAMPLES), extra="x", epochs=5, lr=1e-2, seed=1)
    assert capfd.readouterr() == ("", "")
    assert (done.examples, done.steps) == (64, 20)
    assert all(torch.equal(weight, before[name]) for name, weight in lm.model.state_dict().items())
    old, new = (Scorer(model).conditional(EXAMPLES[:4]) for model in (lm, done.lm))
    assert all(b.logp > a.logp + 5.0 for a, b in zip(old, new, strict=True))
    # The loss is that of the completions alone: at the end, close to what is left of theirs.
    left = -sum(score.logp for score in new) / sum(score.n_tokens for score in new)
    assert done.loss[-1] < max(1.0, 3 * left)
    tuned_model.save(done.lm, tmp_path)
    again = tuned_model.load(lm, tmp_path, done.lm.fingerprint)
    assert again is not None
    assert again.fingerprint == done.lm.fingerprint
    with pytest.raises(InputError, match=r"saved: cannot load .* \(another model\); remove it"):
        tuned_model.load(lm, tmp_path, "0" * 32)
    assert tuned_model.load(lm, tmp_path / "nothing", done.lm.fingerprint) is None


def test_what_was_fine_tuned_can_be_again(lm: LM) -> None:
    once = finetune(lm, EXAMPLES, extra="x", epochs=5, lr=1e-2).lm
    other = [Example(each.prompt, " none\n") for each in EXAMPLES]
    twice = finetune(once, other, extra="x", epochs=5, lr=1e-2).lm
    ids = torch.tensor([lm.tokenizer(EXAMPLES[0].prompt).input_ids])
    with torch.inference_mode():
        assert not torch.equal(once.model(ids).logits, twice.model(ids).logits)
    old, new = (Scorer(model).conditional(other[:1])[0].logp for model in (once, twice))
    assert new > old + 5.0


def test_what_is_wrong_is_named(lm: LM, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="examples: expected at least one"):
        finetune(lm, [], extra="x")
    monkeypatch.setitem(sys.modules, "trl", None)
    with pytest.raises(ImportError):
        finetune(lm, EXAMPLES, extra="x")


def test_the_extra_of_the_caller_is_named(lm: LM, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name=name.partition(".")[0])

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(MissingExtra, match=r'trl is not installed; run: pip install "pyfastlm\[some\]"'):
        finetune(lm, EXAMPLES, extra="some")
