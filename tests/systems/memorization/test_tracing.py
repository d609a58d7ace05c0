"""Interchange interventions against one full forward pass per intervention, and on a planted mechanism."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import EXTRA_ROWS, tiny_config, tiny_tokenizer

from pyfastlm.errors import InputError
from pyfastlm.lm import LM
from pyfastlm.memorization import trace
from pyfastlm.memorization.tracing.interventions import Exchange, logp_after
from pyfastlm.memorization.tracing.picture import save_picture, shown
from pyfastlm.memorization.tracing.rows import token_rows
from pyfastlm.memorization.tracing.stream import Stream

WIDE = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "initializer_range": 0.2}
MODELS: dict[str, tuple[str, dict[str, Any], str]] = {
    "llama": ("Llama", WIDE | {"intermediate_size": 48, "num_key_value_heads": 2}, "model.layers"),
    "gpt-neox": ("GPTNeoX", WIDE | {"intermediate_size": 48}, "gpt_neox.layers"),
    "opt": ("OPT", WIDE | {"ffn_dim": 48, "word_embed_proj_dim": 32}, "model.decoder.layers"),
    "gpt2": (
        "GPT2",
        {"n_embd": 32, "n_head": 4, "n_layer": 3, "n_positions": 64, "initializer_range": 0.2},
        "transformer.h",
    ),
    "gpt-neo": (
        "GPTNeo",
        {
            "hidden_size": 32,
            "num_layers": 3,
            "num_heads": 4,
            "attention_types": [[["global", "local", "global"], 1]],
            "window_size": 4,
            "max_position_embeddings": 64,
            "initializer_range": 0.2,
        },
        "transformer.h",
    ),
}


def build(name: str, changes: dict[str, Any]) -> LM:
    import transformers

    tokenizer = tiny_tokenizer()
    ids = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "vocab_size": len(tokenizer) + EXTRA_ROWS}
    config = getattr(transformers, f"{name}Config")(**(ids | changes))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.AutoModelForCausalLM.from_config(config).eval()
    return LM(model, tokenizer, name)


def logp_of_next(model: Any, tokens: torch.Tensor, first: int) -> np.ndarray:
    with torch.no_grad():
        logits = model(input_ids=tokens[None], use_cache=False).logits[0].double()
    return logits.log_softmax(-1)[first - 1 : -1].gather(1, tokens[first:, None])[:, 0].numpy()


def one_by_one(
    model: Any, blocks: Any, run: torch.Tensor, other: torch.Tensor, level: int, position: int, first: int
) -> np.ndarray:
    """The definition, by hooks on the whole model that runs one sequence: record, replace, run."""
    kept: dict[str, torch.Tensor] = {}

    def hooked(change: Any) -> Any:
        def before(module: Any, args: Any, kwargs: Any) -> Any:
            hidden = args[0] if args else kwargs["hidden_states"]
            change(hidden)

        def after(module: Any, args: Any, out: Any) -> None:
            change(out[0] if isinstance(out, tuple) else out)

        if level == 0:
            return blocks[0].register_forward_pre_hook(before, with_kwargs=True)
        return blocks[level - 1].register_forward_hook(after)

    def keep(hidden: torch.Tensor) -> None:
        kept["state"] = hidden[0, position].clone()

    def put(hidden: torch.Tensor) -> None:
        hidden[0, position] = kept["state"]

    handle = hooked(keep)
    logp_of_next(model, other, first)
    handle.remove()
    handle = hooked(put)
    try:
        return logp_of_next(model, run, first)
    finally:
        handle.remove()


@pytest.mark.parametrize("case", MODELS)
def test_equals_one_forward_pass_per_intervention(case: str) -> None:
    name, changes, path = MODELS[case]
    lm = build(name, changes)
    blocks = lm.model.get_submodule(path)
    rng = np.random.default_rng(3)
    p, h = 5, 4
    tokens, others = rng.integers(3, 300, p + h), rng.integers(3, 300, (2, p))
    found = trace(lm, tokens, p, h, corrupted=others, batch_size=3)
    assert found.dependency.shape == found.restored_nats.shape == (4, p, h)
    assert found.layers == (0, 1, 2, 3)
    clean = torch.from_numpy(tokens)
    dirty = [torch.from_numpy(np.concatenate([other, tokens[p:]])) for other in others]
    start = logp_of_next(lm.model, clean, p)
    np.testing.assert_allclose(found.logp, start, atol=2e-5)
    for draw, other in enumerate(dirty):
        np.testing.assert_allclose(found.corrupted_logp[draw], logp_of_next(lm.model, other, p), atol=2e-5)
    for level in range(4):
        for place in range(p):
            after = [one_by_one(lm.model, blocks, clean, other, level, place, p) for other in dirty]
            back = [one_by_one(lm.model, blocks, other, clean, level, place, p) for other in dirty]
            drop = np.mean([np.exp(start) - np.exp(one) for one in after], 0)
            rise = np.mean(
                [np.exp(b) - np.exp(logp_of_next(lm.model, o, p)) for b, o in zip(back, dirty, strict=True)],
                0,
            )
            np.testing.assert_allclose(found.dependency[level, place], drop, atol=1e-5)
            np.testing.assert_allclose(found.restored[level, place], rise, atol=1e-5)
            nats = np.mean([start - one for one in after], 0)
            np.testing.assert_allclose(found.dependency_nats[level, place], nats, atol=5e-5)
    # All positions at level 0 is the corrupted prompt itself.
    np.testing.assert_allclose(found.whole[0], found.total, atol=1e-5)
    # After the last block a prompt's state speaks to the first generated token only, and only the last one.
    assert np.abs(found.dependency[3, :-1]).max() < 1e-6
    assert np.abs(found.dependency[3, -1, 1:]).max() < 1e-6


def test_what_is_exchanged_matters() -> None:
    """The oracle above would also pass on a model that ignores its prompt."""
    lm = build(*MODELS["llama"][:2])
    found = trace(lm, np.arange(10, 19), 5, 4)
    assert found.dependency_nats.std() > 0.01
    assert (np.abs(found.dependency_nats[:3]).max(0) > 1e-3).all()


@pytest.mark.parametrize("case", MODELS)
def test_exchange_with_itself_changes_nothing(case: str) -> None:
    lm = build(*MODELS[case][:2])
    prompt = np.arange(20, 26)
    found = trace(lm, np.arange(20, 30), 6, 4, corrupted=prompt)
    for change in (found.dependency, found.restored, found.dependency_nats, found.restored_nats, found.whole):
        assert np.abs(change).max() < 1e-5
    assert not found.depends.any()
    stream = Stream(lm.model, 10)
    tokens = torch.arange(20, 30)[None]
    recorded = stream.record(tokens)
    for level in range(stream.levels):  # and in a batch of the same size bit for bit
        after = logp_after(stream, tokens, recorded, level, [Exchange(0, 0, (1, 3))], 6, 1)
        np.testing.assert_array_equal(after[0], recorded.logp[0, 5:].double().numpy())


def test_the_model_is_left_as_it_was() -> None:
    lm = build(*MODELS["llama"][:2])
    before = {name: value.clone() for name, value in lm.model.state_dict().items()}
    found = trace(lm, np.arange(10, 19), 5, 4, control=np.arange(30, 40))
    for module in lm.model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert "forward" not in vars(module)
    assert all(torch.equal(before[name], value) for name, value in lm.model.state_dict().items())
    again = trace(lm, np.arange(10, 19), 5, 4)
    np.testing.assert_array_equal(found.dependency, again.dependency)
    np.testing.assert_array_equal(found.corrupted, again.corrupted)


def test_a_failure_inside_leaves_no_hook() -> None:
    lm = build(*MODELS["llama"][:2])
    stream = Stream(lm.model, 9)
    tokens = torch.arange(10, 19)[None]
    stream.record(tokens)
    with pytest.raises(RuntimeError):
        stream.resume(tokens, 1, torch.zeros(1, 9, 7), 5)
    assert all("forward" not in vars(module) and not module._forward_hooks for module in lm.model.modules())


# ---- a mechanism that is known: of eight prompt tokens one decides one token of the continuation ----

TRIGGER, LENGTH, STEPS = 3, 8, 110
CONTINUATIONS = {40: [60, 61, 62, 70], 41: [60, 61, 63, 70]}  # by the token at TRIGGER


@pytest.fixture(scope="module")
def planted() -> LM:
    from transformers import LlamaForCausalLM

    tokenizer = tiny_tokenizer()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = LlamaForCausalLM(
            tiny_config(vocab_size=len(tokenizer) + EXTRA_ROWS, initializer_range=0.02, hidden_size=48)
        )
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.0)
        for _ in range(STEPS):
            batch = torch.randint(80, 380, (32, LENGTH + 4))
            trigger = torch.randint(40, 42, (32,))
            batch[:, TRIGGER] = trigger
            batch[:, LENGTH:] = torch.tensor([CONTINUATIONS[int(one)] for one in trigger])
            labels = batch.clone()
            labels[:, :LENGTH] = -100
            model(input_ids=batch, labels=labels).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    return LM(model.eval(), tokenizer, "planted")


def prompts(count: int, trigger: int) -> np.ndarray:
    made = np.random.default_rng(5).integers(80, 380, (count, LENGTH))
    made[:, TRIGGER] = trigger
    return made


def test_planted_trigger_is_found(planted: LM) -> None:
    [prompt] = prompts(1, 40)
    tokens = np.concatenate([prompt, CONTINUATIONS[40]])
    found = trace(planted, tokens, LENGTH, 4, corrupted=prompts(5, 41)[1:])
    assert found.greedy.all()
    assert found.depends.tolist() == [False, False, True, False]
    assert found.strongest(2) == (0, TRIGGER)
    embeddings = found.dependency[0, :, 2]
    assert embeddings[TRIGGER] > 0.9
    assert np.abs(np.delete(embeddings, TRIGGER)).max() < 0.1
    assert found.restored[0, TRIGGER, 2] > 0.9
    assert np.abs(np.delete(found.restored[0, :, 2], TRIGGER)).max() < 0.1
    assert (found.total < 0.1).tolist() == [True, True, False, True]


def test_no_trigger_no_dependency(planted: LM) -> None:
    """Another prompt with the same token at the deciding place."""
    [prompt, other] = prompts(2, 40)
    found = trace(planted, [*prompt, *CONTINUATIONS[40]], LENGTH, 4, corrupted=other)
    assert not found.depends.any()


def test_control_is_what_the_model_writes(planted: LM) -> None:
    [prompt, other] = prompts(2, 41)
    found = trace(planted, [*prompts(1, 40)[0], *CONTINUATIONS[40]], LENGTH, 4, control=other)
    assert found.control is not None
    assert found.control.tokens.tolist() == [*other.tolist(), *CONTINUATIONS[41]]
    alone = trace(planted, found.control.tokens, LENGTH, 4)
    np.testing.assert_array_equal(found.control.dependency, alone.dependency)
    assert prompt.tolist() != other.tolist()


# ---- prompts that are drawn ----


def test_shuffled_and_resampled_prompts(tiny_lm_dir: Any) -> None:
    from pyfastlm.lm import load

    lm = load(tiny_lm_dir)
    tokens = [1, *range(50, 70)]  # a bos, then others
    shuffled = trace(lm, tokens, 12, 4, draws=5, layers=[0], seed=3).corrupted
    assert shuffled.shape == (5, 12)
    assert (shuffled[:, 0] == 1).all()
    assert (np.sort(shuffled[:, 1:]) == np.arange(50, 61)).all()
    assert not (shuffled[:, 1:] == np.arange(50, 61)).any()
    assert len({tuple(row) for row in shuffled.tolist()}) == 5
    resampled = trace(lm, tokens, 12, 4, corrupted="resampled", draws=40, layers=[0], positions=[1]).corrupted
    assert (resampled[:, 0] == 1).all()
    assert not np.isin(resampled[:, 1:], [0, 1, 2]).any()
    assert len(np.unique(resampled[:, 1:])) > 150
    assert (trace(lm, tokens, 12, 4, layers=[0], seed=1).corrupted != shuffled[:3]).any()
    alike = trace(lm, [7, 7, 7, 7, 9, 9], 4, 2, layers=[0])  # nothing to shuffle
    assert (alike.corrupted == 7).all()
    assert not alike.depends.any()


def test_layers_and_positions_are_a_part_of_the_whole(planted: LM) -> None:
    tokens = [*prompts(1, 40)[0], *CONTINUATIONS[40]]
    whole = trace(planted, tokens, LENGTH, 4)
    part = trace(planted, tokens, LENGTH, 4, layers=[2, 0], positions=[6, TRIGGER], batch_size=5)
    assert part.layers == (2, 0)
    np.testing.assert_allclose(part.dependency, whole.dependency[[2, 0]][:, [6, TRIGGER]], atol=1e-5)
    np.testing.assert_allclose(part.whole, whole.whole[[2, 0]], atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens": [1, 2, 3]}, "tokens: expected at least 12 tokens, got 3"),
        ({"tokens": []}, "tokens: expected at least 12 tokens, got 0"),
        ({"tokens": [[1] * 20]}, "tokens: expected a sequence of whole numbers"),
        ({"tokens": "a text"}, "tokens: expected token ids, got str"),
        ({"tokens": [0.5] * 20}, "tokens: expected a sequence of whole numbers"),
        ({"tokens": [9999] * 20}, r"tokens: expected ids in \[0, "),
        ({"tokens": [-1] * 20}, r"tokens: expected ids in \[0, "),
        ({"prefix_length": 0}, "prefix_length: expected a whole number"),
        ({"prefix_length": True}, "prefix_length: expected a whole number"),
        ({"horizon": 0}, "horizon: expected a whole number"),
        (
            {"horizon": 200, "tokens": [5] * 300},
            "horizon: expected .* within the model's context of 128, got 208",
        ),
        ({"draws": 0}, "draws: expected a whole number"),
        ({"batch_size": 0}, "batch_size: expected a whole number"),
        ({"threshold": 1.5}, "threshold: expected a probability"),
        ({"threshold": float("nan")}, "threshold: expected a probability"),
        ({"corrupted": "reversed"}, "corrupted: expected one of shuffled, resampled"),
        ({"corrupted": [1, 2]}, r"corrupted: expected one of .*, or prompts of 8 token ids; got \[2\]"),
        ({"corrupted": np.zeros((0, 8), int)}, "corrupted: expected at least one sequence"),
        ({"corrupted": None}, "corrupted: expected token ids, got NoneType"),
        ({"corrupted": [[5] * 8, [5] * 7]}, "corrupted: expected one of"),
        ({"corrupted": [9999] * 8}, "corrupted: expected ids in"),
        ({"layers": []}, r"layers: expected different numbers in \[0, 3\)"),
        ({"layers": [3]}, "layers: expected different numbers"),
        ({"layers": [1, 1]}, "layers: expected different numbers"),
        ({"positions": [8]}, r"positions: expected different numbers in \[0, 8\)"),
        ({"positions": [0.5]}, "positions: expected a sequence of whole numbers"),
        ({"control": [5, 6]}, "control: expected at least 8"),
        ({"control": [9999] * 8}, "control: expected ids in"),
        ({"prefix_length": 1, "tokens": [1] * 9, "horizon": 2}, "prefix_length: expected a prompt with"),
    ],
)
def test_bad_input(planted: LM, changes: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"tokens": [*range(50, 62)], "prefix_length": 8, "horizon": 4} | changes
    with pytest.raises(InputError, match=message):
        trace(planted, **arguments)


def test_a_model_without_such_blocks() -> None:
    lm = build("Llama", WIDE | {"intermediate_size": 48, "num_key_value_heads": 2})
    lm.model.config.num_hidden_layers = 2
    lm.model.model.layers = torch.nn.ModuleList([*lm.model.model.layers])
    with pytest.raises(InputError, match="expected a list of 2 blocks"):
        trace(lm, np.arange(10, 19), 5, 4)


# ---- shown to people ----


def test_rows_and_picture(planted: LM, tmp_path: Path) -> None:
    found = trace(planted, [*prompts(1, 40)[0], *CONTINUATIONS[40]], LENGTH, 4, corrupted=prompts(3, 41)[1:])
    rows = token_rows(found, planted.tokenizer)
    assert [row.depends for row in rows] == [False, False, True, False]
    assert (rows[2].layer, rows[2].position) == (0, TRIGGER)
    assert rows[2].trigger == planted.tokenizer.decode([40])
    assert rows[2].text == planted.tokenizer.decode([62])
    assert rows[2].probability == pytest.approx(np.exp(found.logp[2]))
    assert rows[2].peak == pytest.approx(found.dependency[0, TRIGGER, 2])
    for name in ("a.svg", "again.svg"):
        save_picture(found, tmp_path / name, planted.tokenizer)
    assert (tmp_path / "again.svg").read_bytes() == (tmp_path / "a.svg").read_bytes()
    save_picture(found, tmp_path / "b.svg", planted.tokenizer, token=2)
    assert "Generated token 2" in (tmp_path / "b.svg").read_text()
    assert "Sum over 4" in (tmp_path / "a.svg").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.svg", "again.svg", "b.svg"]
    with pytest.raises(InputError, match="picture: expected a name ending in"):
        save_picture(found, tmp_path / "a.gif", planted.tokenizer)
    with pytest.raises(InputError, match=r"token: expected 0\.\.3"):
        save_picture(found, tmp_path / "a.png", planted.tokenizer, token=4)


def test_labels_show_what_cannot_be_seen() -> None:
    assert shown(" a\n") == "␣a⏎"
    assert shown("\x00\t$x$") == "��$x$"
    assert shown("x" * 30) == "x" * 13 + "…"
