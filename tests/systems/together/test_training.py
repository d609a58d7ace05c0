"""What training does, against a plain loop over all logits with PEFT's adapters."""

import copy
from typing import Any

import pytest
import torch
from programs import small_engine

from pyfastlm.errors import InputError
from pyfastlm.together import HFEngine, Tuned, TuningOptions, tune

SYSTEM = ("system", "You sell fruit and flowers on the market, all the day.")
DATA = [
    [SYSTEM, ("user", f"What is {thing}?"), ("assistant", answer)]
    for thing, answer in (("rose", "une fleur"), ("pera", "un fruit"), ("mela", "un fruit rouge"))
]
SETTINGS: dict[str, Any] = {"rank": 4, "alpha": 8.0, "epochs": 3, "lr": 1e-2, "batch_size": 2}


def tuned(engine: HFEngine, model_id: str | None = None, **changes: Any) -> Tuned:
    return tune(engine, model_id or engine.model_id, DATA, TuningOptions(**(SETTINGS | changes)))


def mean_nats(engine: HFEngine, model: Any) -> float:
    """Of the answers' tokens with the one that ends them; by all logits, no packing."""
    total, count = 0.0, 0
    for messages in DATA:
        rows = [{"role": role, "content": text} for role, text in messages]
        template = engine.weights.lm.tokenizer.apply_chat_template
        prompt = engine.tokenizer.encode(template(rows[:-1], tokenize=False, add_generation_prompt=True))
        answer = [*engine.tokenizer.encode(messages[-1][1]), engine.tokenizer.ends[0]]
        with torch.inference_mode():
            found = model(input_ids=torch.tensor([prompt + answer[:-1]]), use_cache=False).logits[0]
        every = found[len(prompt) - 1 :].log_softmax(-1)
        total -= float(every.gather(1, torch.tensor(answer)[:, None]).sum())
        count += len(answer)
    return total / count


@pytest.mark.parametrize("full", [False, True])
def test_the_loss_is_on_answers_alone_and_falls(full: bool) -> None:
    engine = small_engine()
    base = engine.weights.lm.model
    before = {name: p.clone() for name, p in base.named_parameters()}
    start = mean_nats(engine, base)
    found = tuned(engine, batch_size=3, full=full, lr=3e-3 if full else 1e-2)
    assert found.loss[0] == pytest.approx(start, rel=1e-5)
    assert (found.examples, found.steps, len(found.loss)) == (3, 3, 3)
    with engine.weights.using(found.model_id):
        assert mean_nats(engine, engine.weights.model(found.model_id)) < start
    assert engine.weights.distance(found.model_id).norm > 0
    # The base is as it was, and still wants gradients.
    assert all(torch.equal(p, before[name]) and p.requires_grad for name, p in base.named_parameters())
    assert all(p.grad is None for p in base.parameters())
    assert mean_nats(engine, base) == pytest.approx(start, rel=1e-6)


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # of PEFT
def test_the_first_step_is_that_of_peft() -> None:
    """Gradients of A and B after one step of AdamW, from the same A."""
    peft = pytest.importorskip("peft")
    engine = small_engine()
    found = tuned(engine, epochs=1, batch_size=3, grad_clip=1e9)
    ours = engine.weights.adapter(found.model_id)
    assert ours is not None
    model = copy.deepcopy(engine.weights.lm.model)
    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "k_proj"], task_type="CAUSAL_LM")
    theirs = peft.get_peft_model(model, config).eval()
    from pyfastlm.together.adapter import fresh

    start = fresh(engine.weights.lm.model, ("q_proj", "k_proj"), rank=4, alpha=8.0, seed=0)
    learned = {}
    for name, (down, up) in start.pairs.items():
        layer = theirs.get_submodule(f"base_model.model.{name}")
        learned[name] = layer.lora_A["default"].weight, layer.lora_B["default"].weight
        with torch.no_grad():
            learned[name][0].copy_(down)
            learned[name][1].copy_(up)
    optimizer = torch.optim.AdamW(
        [p for pair in learned.values() for p in pair], lr=1e-2, betas=(0.9, 0.95), weight_decay=0.0
    )
    loss, count = torch.zeros(()), 0
    for messages in DATA:
        prompt, answer = engine.prompts.training([*map(_message, messages)])
        before, after = engine.tokenizer.encode(prompt), engine.tokenizer.encode(answer)
        after = after[: after.index(engine.tokenizer.ends[0]) + 1]
        every = theirs(input_ids=torch.tensor([before + after[:-1]]), use_cache=False).logits[0]
        every = every[len(before) - 1 :].log_softmax(-1)
        loss = loss - every.gather(1, torch.tensor(after)[:, None]).sum()
        count += len(after)
    (loss / count).backward()
    optimizer.step()
    for name, (_, up) in ours.pairs.items():
        # A first step of AdamW is the sign of the gradient: compare where that is not next to nothing.
        gradient = learned[name][1].grad
        clear = gradient.abs() > 1e-5
        assert clear.float().mean() > 0.5
        torch.testing.assert_close(up[clear], learned[name][1].detach()[clear], rtol=1e-2, atol=1e-5)


def _message(pair: tuple[str, str]) -> Any:
    from pyfastlm.together.prompts import Message

    return Message(*pair)


def test_the_same_seed_gives_the_same_weights_and_portions_do_not_matter() -> None:
    first, second, third = tuned(small_engine()), tuned(small_engine()), tuned(small_engine(), seed=1)
    assert first.model_id == second.model_id != third.model_id
    assert first.loss == second.loss
    portions = tuned(small_engine(), tokens_at_once=1)
    assert portions.loss == pytest.approx(first.loss, rel=1e-4)
    assert first.steps == 5  # 9 examples in twos


def test_a_second_training_goes_on() -> None:
    engine = small_engine()
    first = tuned(engine)
    second = tuned(engine, first.model_id)
    assert second.loss[0] < first.loss[0]
    assert second.model_id not in (engine.model_id, first.model_id)
    with pytest.raises(
        InputError, match="has an adapter of rank 4 and alpha 8 on other layers or of another"
    ):
        tuned(engine, first.model_id, rank=2)
    whole = tuned(engine, first.model_id, full=True, lr=1e-3)
    assert whole.loss[0] < first.loss[0]
    with pytest.raises(InputError, match="was trained whole; go on with full=True"):
        tuned(engine, whole.model_id)


def test_what_cannot_be_learned_from() -> None:
    engine = small_engine()
    options = TuningOptions()
    with pytest.raises(InputError, match="train_data: expected at least one example, got none; no run"):
        tune(engine, engine.model_id, [], options)
    with pytest.raises(InputError, match=r"train_data\[1\]: messages: expected the assistant's as the last"):
        tune(engine, engine.model_id, [DATA[0], DATA[1][:2]], options)
    with pytest.raises(InputError, match=r"train_data\[0\]: expected at most 4,096 tokens, got"):
        tune(engine, engine.model_id, [[SYSTEM, ("user", "presto " * 3000), DATA[0][2]]], options)
    with pytest.raises(InputError, match=r"lr: the loss is .* at step 2; try a lower one"):
        tuned(engine, lr=1e30)
    assert engine.weights.ids == (engine.model_id,)
    # And the model is free again.
    assert engine.answers([engine.call(DATA[0][:2], max_tokens=1)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rank": 0}, "rank: expected a whole number >= 1, got 0"),
        ({"epochs": 1.5}, "epochs: expected a whole number >= 1, got 1.5"),
        ({"lr": float("nan")}, "lr: expected a finite number above 0, got nan"),
        ({"alpha": True}, "alpha: expected a finite number above 0, got True"),
        ({"weight_decay": -1.0}, "weight_decay: expected a finite number from 0"),
        ({"target_modules": "q_proj"}, "target_modules: expected a sequence of names, got one text"),
    ],
)
def test_wrong_options(changes: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TuningOptions(**changes)
