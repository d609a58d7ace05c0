"""SmolLM2 on real revisions: log-probabilities, losses, rewards and gradients are TRL's."""

import copy
import json
import warnings
from pathlib import Path

import pytest
import torch

from pyfastlm.errors import MissingExtra
from pyfastlm.lm import load
from pyfastlm.preference import PreferencePair, apo_loss
from pyfastlm.preference.encoding import encode
from pyfastlm.preference.logps import longest
from pyfastlm.preference.objectives import metrics
from pyfastlm.preference.policy import PairLogps, Policy

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("trl")
import trl_losses

PAIRS = Path(__file__).parents[4] / "shared/data/preference/clair_gpt4_20.jsonl"
SHORT = (3, 15, 17)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["zero", "down"])
def test_a_real_batch(kind) -> None:
    from trl.trainer.dpo_trainer import DataCollatorForPreference
    from trl.trainer.utils import add_fused_lm_head

    if not PAIRS.exists():
        pytest.skip(f"there is no {PAIRS}")
    try:
        lm = load("smollm2")
    except MissingExtra as reason:
        pytest.skip(str(reason))
    rows = [json.loads(line) for line in PAIRS.read_text().splitlines()]
    pairs = [PreferencePair(*(rows[i][name] for name in ("prompt", "chosen", "rejected"))) for i in SHORT]
    tokens = [
        pair._replace(chosen=pair.chosen[:40], rejected=pair.rejected[:40])
        for pair in encode(lm.tokenizer, pairs)
    ]
    names = ("prompt_ids", "chosen_ids", "rejected_ids")
    collate = DataCollatorForPreference(pad_token_id=0)
    batch = collate([dict(zip(names, (part.tolist() for part in pair), strict=True)) for pair in tokens])
    theirs = copy.deepcopy(lm.model)
    add_fused_lm_head(theirs)
    labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)
    each = theirs(batch["input_ids"], batch["attention_mask"], labels=labels, fused_lm_head=True).log_probs
    noise = torch.randn(each.shape, generator=torch.Generator().manual_seed(0)) * (each != 0)
    given = trl_losses.Answers(each, each.detach() + noise, batch["completion_mask"])
    expected, named = trl_losses.paired(f"apo_{kind}", given, 0.1)

    policy = Policy(lm.model, longest(tokens)).logps(tokens)
    reference = PairLogps(*given.reference.sum(1).chunk(2))
    torch.testing.assert_close(torch.cat(policy), each.sum(1), rtol=1e-6, atol=1e-4)
    loss = apo_loss(*policy, *reference, kind=kind)
    torch.testing.assert_close(loss, expected, rtol=0, atol=1e-6)
    for name, value in metrics(policy, reference, 0.1).named().items():
        assert value == pytest.approx(named[name], rel=1e-6, abs=2e-5), name
    ours, wanted = (torch.autograd.grad(x, m.parameters()) for x, m in ((loss, lm.model), (expected, theirs)))
    for got, should in zip(ours, wanted, strict=True):
        assert (got - should).norm() <= 1e-4 * should.norm()
