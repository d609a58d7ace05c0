"""Log-probabilities of answers beside a plain forward pass: values, gradients, tokens, errors."""

import numpy as np
import pytest
import torch
from preferences import PAIRS, gradients, plain_logps, small_lm

from pyfastlm.errors import InputError
from pyfastlm.preference import PreferencePair, sequence_logps
from pyfastlm.preference.encoding import TokenPair, encode
from pyfastlm.preference.logps import longest, scored
from pyfastlm.preference.policy import Policy
from pyfastlm.preference.tree import forest, windows

# Names that transformers is about to change, and PEFT still uses.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")

SMALL = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "initializer_range": 0.2,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
KINDS = {
    "tied": ("Llama", {}),
    "untied": ("Llama", {"tie_word_embeddings": False}),
    "softcap": ("Gemma2", SMALL | {"head_dim": 8, "final_logit_softcapping": 3.0, "sliding_window": 64}),
    "scaled": ("Cohere", SMALL | {"logit_scale": 0.25}),
    "bias": ("Phi", SMALL),
    "positions": ("GPT2", {"n_embd": 32, "n_head": 4, "n_layer": 2, "n_positions": 128}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_values_and_gradients_are_those_of_a_plain_forward_pass(kind) -> None:
    name, changes = KINDS[kind]
    lm = small_lm(name, dtype=torch.float64, **changes)
    pairs = encode(lm.tokenizer, PAIRS)
    policy = Policy(lm.model, longest(pairs))
    assert policy.shares == (kind != "softcap")
    expected = plain_logps(lm.model, pairs)
    found = torch.cat(policy.logps(pairs))
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
    weights = torch.linspace(-1, 2, len(expected), dtype=torch.float64)
    wanted = gradients(lm.model, (expected * weights).sum())
    got = gradients(lm.model, (found * weights).sum())
    assert got.keys() == wanted.keys()
    for parameter in wanted:  # norms of Llama round to float32 in between
        assert (got[parameter] - wanted[parameter]).norm() <= 1e-6 * wanted[parameter].norm()


def test_in_float32_by_the_public_name() -> None:
    lm = small_lm()
    pairs = encode(lm.tokenizer, PAIRS)
    found = sequence_logps(lm, PAIRS)
    assert found.chosen.dtype == torch.float32
    assert found.chosen.requires_grad
    torch.testing.assert_close(torch.cat(found), plain_logps(lm.model, pairs), rtol=1e-6, atol=1e-4)


def test_bf16_is_no_further_from_the_truth_than_its_own_logits_are() -> None:
    lm = small_lm(dtype=torch.bfloat16)
    pairs = encode(lm.tokenizer, PAIRS)
    exact = small_lm()
    exact.model.load_state_dict(lm.model.state_dict())
    truth = plain_logps(exact.model, pairs).detach()
    usual = (plain_logps(lm.model, pairs).detach() - truth).abs().max()
    found = torch.cat(scored(Policy(lm.model, longest(pairs)), pairs))
    assert (found - truth).abs().max() <= usual + 0.02


def test_adapters_learn_and_the_reference_is_the_model_without_them() -> None:
    peft = pytest.importorskip("peft")
    lm = small_lm(dtype=torch.float64)
    config = peft.LoraConfig(r=3, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    pairs = encode(lm.tokenizer, PAIRS)
    before = plain_logps(lm.model, pairs).detach()
    model = peft.get_peft_model(lm.model, config, autocast_adapter_dtype=False).eval()
    policy = Policy(model, longest(pairs))
    expected, found = plain_logps(model, pairs), torch.cat(policy.logps(pairs))
    torch.testing.assert_close(found, expected)
    wanted = gradients(model, expected.sum())
    got = gradients(model, found.sum())
    assert all("lora" in name for name in got)
    for parameter in wanted:
        assert (got[parameter] - wanted[parameter]).norm() <= 1e-6 * wanted[parameter].norm()
    with model.disable_adapter():
        torch.testing.assert_close(torch.cat(policy.logps(pairs)), before)


def test_an_adapter_on_the_last_projection_counts() -> None:
    peft = pytest.importorskip("peft")
    lm = small_lm(dtype=torch.float64, tie_word_embeddings=False)
    config = peft.LoraConfig(r=3, target_modules=["lm_head"], init_lora_weights=False)
    model = peft.get_peft_model(lm.model, config, autocast_adapter_dtype=False).eval()
    pairs = encode(lm.tokenizer, PAIRS)
    policy = Policy(model, longest(pairs))
    assert policy.notes
    torch.testing.assert_close(
        torch.cat(policy.logps(pairs)).double(), plain_logps(model, pairs), rtol=1e-5, atol=1e-4
    )


def test_a_group_does_not_change_a_result() -> None:
    lm = small_lm()
    pairs = encode(lm.tokenizer, PAIRS)
    policy = Policy(lm.model, longest(pairs))
    alone = torch.cat(scored(policy, pairs, tokens_per_batch=1))
    torch.testing.assert_close(torch.cat(scored(policy, pairs)), alone, rtol=1e-6, atol=1e-4)


def test_what_answers_have_in_common_is_read_and_predicted_once() -> None:
    prompt = np.arange(40, dtype=np.int32)
    common = np.arange(100, 130, dtype=np.int32)
    chosen, rejected = (np.append(common, np.int32([end, end])) for end in (7, 8))
    read = forest(windows([TokenPair(prompt, chosen, rejected)]), shares=True)
    assert sum(len(piece.tokens) for piece in read.batch) == 40 + 30 + 2
    assert len(read.rows) == 30 + 2 + 2
    assert len(read.tokens) == 64
    apart = forest(windows([TokenPair(prompt, chosen, rejected)]), shares=False)
    assert sum(len(piece.tokens) for piece in apart.batch) == 2 * 71


@pytest.mark.parametrize("conversational", [True, False])
def test_tokens_are_those_of_trl(conversational) -> None:
    import warnings
    from types import SimpleNamespace

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trl = pytest.importorskip("trl")
        datasets = pytest.importorskip("datasets")
    from pyfastlm.preference.pairs import to_trl

    tokenizer = small_lm().tokenizer
    pairs = [*PAIRS, PreferencePair("", "alone here", "never"), PreferencePair("ends in a  ", " b", "  c")]
    pairs += [PreferencePair("cut ", "apre presto " * 20, "if")]
    args = SimpleNamespace(dataset_num_proc=None, max_length=None, truncation_mode="keep_start")
    trainer = SimpleNamespace(_tokenizer=tokenizer)
    rows = datasets.Dataset.from_list([*to_trl(pairs, conversational=conversational)])
    datasets.disable_progress_bars()
    made = trl.DPOTrainer._prepare_dataset(trainer, rows, tokenizer, args, "train")
    collator = trl.trainer.dpo_trainer.DataCollatorForPreference(pad_token_id=0, max_length=50)
    batch = collator([*made])
    found = encode(tokenizer, pairs, conversational=conversational, max_length=50)
    for side, start in ((1, 0), (2, len(pairs))):
        for number, pair in enumerate(found):
            real = batch["attention_mask"][start + number].bool()
            ids = [*pair.prompt.tolist(), *pair[side].tolist()]
            assert batch["input_ids"][start + number][real].tolist() == ids
            assert int(batch["completion_mask"][start + number].sum()) == len(pair[side])


@pytest.mark.parametrize(
    ("pairs", "options", "said"),
    [
        ([], {}, "pairs: expected at least one"),
        (PAIRS, {"max_length": 4}, r"pairs\[0\]: chosen: expected at least one token"),
        (PAIRS, {"max_length": 1}, "max_length: expected at least 2"),
        ([PreferencePair("", "b", "c")], {"conversational": False, "max_length": None}, None),
    ],
)
def test_pairs_that_leave_nothing_to_predict(pairs, options, said) -> None:
    tokenizer = small_lm().tokenizer
    if said is None:
        assert len(encode(tokenizer, pairs, **options)) == 1
        return
    with pytest.raises(InputError, match=said):
        encode(tokenizer, pairs, **options)


def test_tokenizers_that_lack_something() -> None:
    tokenizer = small_lm().tokenizer
    tokenizer.chat_template = None
    with pytest.raises(InputError, match="conversational: the tokenizer has no chat template"):
        encode(tokenizer, PAIRS, conversational=True)
    tokenizer.eos_token = None
    with pytest.raises(InputError, match="tokenizer: expected one with an eos token"):
        encode(tokenizer, PAIRS)


def test_without_a_prompt_the_first_token_does_not_count() -> None:
    lm = small_lm(dtype=torch.float64)
    one = [TokenPair(np.empty(0, np.int32), np.int32([5, 6, 7]), np.int32([5, 9]))]
    found = torch.cat(Policy(lm.model, 8).logps(one))
    torch.testing.assert_close(found, plain_logps(lm.model, one))
