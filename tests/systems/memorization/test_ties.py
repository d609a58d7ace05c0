"""Where another rounding could give another length, it is said; and nowhere else."""

import memorised
import numpy as np
import pytest
import torch
from tiny import tiny_config, tiny_tokenizer

from pyfastlm.lm import LM
from pyfastlm.lm.following import Course, follow
from pyfastlm.lm.head import LinearHead, LogitsHead
from pyfastlm.lm.runner import Runner
from pyfastlm.memorization import verbatim_lengths


def twins(offset: float) -> LM:
    """Tokens 2n and 2n + 1 have the same logits, up to ``offset``."""
    from transformers import LlamaForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(tiny_config(vocab_size=40, tie_word_embeddings=False)).eval()
    weight = model.lm_head.weight.data
    weight[1::2] = weight[::2] * (1 + offset)
    return LM(model, tiny_tokenizer(), "twins")


def test_equals_go_to_the_lowest_id_and_are_reported():
    lm = twins(0.0)
    made = [3, 9, 20]
    made += memorised.greedy(lm.model, [made], 12)[0].tolist()
    assert all(token % 2 == 0 for token in made[3:])
    right = verbatim_lengths(lm, made, (3,), 12, starts=[0])
    assert (right.lengths[0, 0], right.ties[0, 0]) == (12, True)
    other = [*made[:8], made[8] + 1, *made[9:]]
    wrong = verbatim_lengths(lm, other, (3,), 12, starts=[0])
    assert (wrong.lengths[0, 0], wrong.ties[0, 0]) == (5, True)
    # Further on nothing is decided, so nothing can be close.
    missed = [*made[:3], 39, *made[4:]]
    assert not verbatim_lengths(lm, missed, (3,), 12, starts=[0]).ties.any()


def test_logits_apart_are_no_ties():
    lm = twins(0.05)
    made = [3, 9, 20]
    made += memorised.greedy(lm.model, [made], 12)[0].tolist()
    assert not verbatim_lengths(lm, made, (3,), 12, starts=[0]).ties.any()


@pytest.mark.parametrize("within", [1e-4, 0.3, 2.0])
@pytest.mark.parametrize("runner_up", [False, True])
@pytest.mark.parametrize("head", ["linear", "logits"])
def test_close_is_what_the_logits_say(knowing, known, within, runner_up, head):
    """Against all logits, held; a wide ``within`` leaves nothing to chance."""
    lm = knowing if head == "linear" else LM(_Opaque(knowing.model), knowing.tokenizer, "")
    runner = Runner(lm, 128)
    assert isinstance(runner.head, LinearHead if head == "linear" else LogitsHead)
    prefixes, limits = np.array([2, 4, 16]), np.array([20, 20, 20])
    courses = [Course(np.array(known[i:], np.int32), prefixes, limits) for i in range(0, 120, 4)]
    found = [one for batch in follow(runner, courses, within=within, runner_up=runner_up) for one in batch]
    seen = 0
    for course, one in zip(courses, found, strict=True):
        with torch.inference_mode():
            logits = knowing.model(torch.from_numpy(course.tokens[:40]).long()[None]).logits[0]
        for j, p in enumerate(prefixes):
            length = 0
            gaps = []
            while True:
                target = int(course.tokens[p + length])
                best, second = logits[p + length - 1].topk(2).values.tolist()
                hit = int(logits[p + length - 1].argmax()) == target
                if not hit:
                    gaps.append(best - logits[p + length - 1, target].item())
                if hit or runner_up:
                    gaps.append(best - second)
                length += hit
                if not hit or length == 20:
                    break
            assert one.lengths[j] == length
            assert one.close[j] == (min(gaps) < within)
            seen += one.close[j]
    assert within < 0.1 or seen


class _Opaque(torch.nn.Module):
    """A model of which only the logits are known."""

    def __init__(self, model):
        super().__init__()
        self.model, self.config, self.dtype, self.device = model, model.config, model.dtype, model.device

    def get_decoder(self):
        return self

    def get_output_embeddings(self):
        return None

    def get_input_embeddings(self):
        return self.model.get_input_embeddings()

    def forward(self, **inputs):
        return self.model(**inputs)
