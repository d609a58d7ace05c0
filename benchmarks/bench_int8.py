"""MrT5 with weights of 8 bits beside its float32, at the shape of ByT5-small, and what it costs.

    OMP_NUM_THREADS=1 python -m pytest -s benchmarks/bench_int8.py --benchmark-timer=time.process_time \
        --benchmark-json=out.json

Random weights, L = 1,024 with half of the bytes kept, batches of 1 and 8: the encoder, and one step of the
decoder with a cache of 64 ids. Asserted: the error of the logits. What it costs in bits per byte can only be
seen where there is something to lose: on a small model trained for PYFASTLM_BENCH_STEPS steps on English
(some minutes), on other parts of the same text.
"""

import os
from functools import cache
from pathlib import Path

import mrt5_inputs
import pytest
import torch

from pyfastlm.mrt5 import (
    DeletionController,
    MrT5ForConditionalGeneration,
    SpanCorruption,
    evaluate,
    int8,
    train,
)
from pyfastlm.mrt5.loading import new_model
from pyfastlm.mrt5.output import MrT5EncoderOutput

pytestmark = [pytest.mark.timeout(0), pytest.mark.filterwarnings("default")]
STEPS = int(os.environ.get("PYFASTLM_BENCH_STEPS", "400"))
PAST = 64
TEXT = Path(__file__).resolve().parents[2] / "shared" / "data" / "text" / "tiny_shakespeare.txt"
TOLERANCE = 0.1  # relative, of logits


@cache
def models() -> dict[str, MrT5ForConditionalGeneration]:
    model = mrt5_inputs.model()
    return {"float32": model, "int8": int8(model)}


@cache
def inputs(batch: int) -> mrt5_inputs.Inputs:
    return mrt5_inputs.inputs([(1024, 0.5)] * batch)


@pytest.fixture(autouse=True)
def _inference():
    with torch.inference_mode():
        yield


@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("name", ["float32", "int8"])
def test_encoder(benchmark, name: str, batch: int) -> None:
    benchmark.group = f"encoder, {batch} x 1,024, half kept"
    ids, model = inputs(batch).ids, models()[name]
    benchmark.pedantic(lambda: model.encoder(ids, hard_delete=True), rounds=3 if batch == 1 else 1)


@cache
def memory(batch: int) -> MrT5EncoderOutput:
    return models()["int8"].encoder(inputs(batch).ids, hard_delete=True)


@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("name", ["float32", "int8"])
def test_step(benchmark, name: str, batch: int) -> None:
    benchmark.group = f"one step of the decoder, batch of {batch}"
    model = models()[name]
    past = torch.full((batch, PAST), 100)
    made = model(encoder_outputs=memory(batch), decoder_input_ids=past, use_cache=True)
    last = past[:, :1]

    def step() -> None:
        model(encoder_outputs=memory(batch), decoder_input_ids=last, past_key_values=made.cache)

    benchmark.pedantic(step, rounds=21, warmup_rounds=2)


def test_logits_are_near() -> None:
    x = inputs(1)
    exact, got = (model(x.ids, labels=x.labels, hard_delete=True).logits for model in models().values())
    assert (got - exact).norm() / exact.norm() < TOLERANCE


@torch.inference_mode(False)
def test_bits_per_byte(capsys: pytest.CaptureFixture[str]) -> None:
    if not TEXT.exists():
        pytest.skip(f"{TEXT} is absent")
    lines = TEXT.read_text("utf-8").splitlines(keepends=True)
    cut = len(lines) * 9 // 10
    corruption = SpanCorruption(input_length=256, mean_span_length=5)
    training, test = (corruption.data({"en": ["".join(part)]}) for part in (lines[:cut], lines[cut:]))
    model = new_model("tiny")
    controller = DeletionController(0.3, kp=0.05, ki=1e-3, regularizer_delay=STEPS // 2)
    train(model, training, steps=STEPS, batch_size=16, lr=2e-3, controller=controller)
    found = {}
    for name, one in {"float32": model, "int8": int8(model)}.items():
        row = evaluate(one, test, modes=("hard",)).row("hard")
        found[name] = row.bits_per_byte, row.deleted
    with capsys.disabled():
        print(f"\nafter {STEPS} steps, {len(test)} windows:")
        for name, (bits, deleted) in found.items():
            print(f"{name}: {bits:.4f} bits/byte, {deleted:.2%} deleted")
