"""A step of transformers' Trainer in time and peak memory: with padding or without, with logits or without.

    OMP_NUM_THREADS=1 PYTHONPATH=tests python benchmarks/training_memory.py [--steps 3] [--median-bytes 200]

SmolLM2-135M in float32, AdamW, eight documents of very different lengths in a step. Every variant trains in a
process of its own, a step at a time, all of them in turns: first one on a few tokens, which makes AdamW's
state, then those that are measured. Peak memory is what a step adds to what is resident before it: gradients
and all that is kept for them, but neither weights nor AdamW's state. Time is that of the processor, because
machines are shared. All variants have the same losses and norms of gradients. Writes
benchmarks/results/training_memory.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import corpus
import memory
import numpy as np
import torch
import transformers

from pyfastlm.cli import show
from pyfastlm.demo.about import processor
from pyfastlm.lm import load
from pyfastlm.lm.training import Trainer, register_attention

RESULTS = Path(__file__).parent / "results" / "training_memory.json"
DOCUMENTS = 8


class Variant(NamedTuple):
    trainer: Any
    padded: bool
    attention: str


VARIANTS = {
    "padded": Variant(transformers.Trainer, True, "sdpa"),
    "packed": Variant(transformers.Trainer, False, "sdpa"),
    "packed, linear_logp": Variant(Trainer, False, "sdpa"),
    "packed, varlen_attention": Variant(transformers.Trainer, False, "pyfastlm_varlen"),
    "packed, both": Variant(Trainer, False, "pyfastlm_varlen"),
}
OURS = "packed, both"
SETTINGS: dict[str, dict[str, Any]] = {
    "one batch": {"per_device_train_batch_size": DOCUMENTS},
    "gradient checkpointing": {"per_device_train_batch_size": DOCUMENTS, "activation_checkpointing": True},
    "accumulated, 4 x 2": {"per_device_train_batch_size": DOCUMENTS // 4, "gradient_accumulation_steps": 4},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=3, help="that are measured, of each variant")
    parser.add_argument("--median-bytes", type=float, default=200.0, help="of a document")
    parser.add_argument("--train", nargs=2, help=argparse.SUPPRESS)  # a variant and a setting: a process
    given = parser.parse_args()
    if given.train:
        train(*given.train, given.steps, given.median_bytes)
        return
    lengths = [len(ids) for ids in documents(load("smollm2").tokenizer, given.median_bytes)]
    found: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{processor()}, {os.cpu_count()} cores",
        "load": os.getloadavg(),
        "threads": 1,
        "versions": {name: version(name) for name in ("torch", "transformers", "accelerate")},
        "lengths": lengths,
        "settings": {},
    }
    started = time.perf_counter()
    for setting in SETTINGS:
        steps = in_turns(setting, given.steps, given.median_bytes)
        found["settings"][setting] = steps
        print_table(setting, steps)
    found["minutes"] = (time.perf_counter() - started) / 60
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


def in_turns(setting: str, steps: int, median_bytes: float) -> dict[str, list[dict[str, float]]]:
    """What each step of each variant takes; one of each after the other."""
    options = ["--steps", str(steps), "--median-bytes", str(median_bytes)]
    racers = {
        name: subprocess.Popen(
            [sys.executable, __file__, "--train", name, setting, *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in VARIANTS
    }
    for racer in racers.values():
        assert told(racer) == "ready"
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in VARIANTS}
    for _ in range(steps):
        for name, racer in racers.items():
            print("go", file=racer.stdin, flush=True)
            taken[name].append(told(racer))
            for what in "loss", "gradient":
                np.testing.assert_allclose(
                    taken[name][-1][what], taken["padded"][-1][what], rtol=1e-4, err_msg=f"{name}, {what}"
                )
    for racer in racers.values():
        assert racer.wait() == 0
    return taken


def told(racer: subprocess.Popen[str]) -> Any:
    assert racer.stdout is not None
    return json.loads(racer.stdout.readline())


class Watch(transformers.TrainerCallback):
    """Waits for its turn before each step but the first, and says what the step took."""

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step:
            input()
        self._peak = memory.Peak()
        self._started = time.process_time()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._taken = {"seconds": time.process_time() - self._started, "mib": self._peak.mib()}
        memory.trim()  # while others have their turn

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if "loss" in logs:
            taken = self._taken | {"loss": float(logs["loss"]), "gradient": float(logs["grad_norm"])}
            print(json.dumps(taken if state.global_step > 1 else "ready"), flush=True)


def train(name: str, setting: str, steps: int, median_bytes: float) -> None:
    """A variant in this process."""
    torch.set_num_threads(1)
    os.environ["PYFASTLM_NUM_THREADS"] = "1"
    variant, lm = VARIANTS[name], load("smollm2")
    register_attention()
    lm.model.set_attn_implementation(variant.attention)
    lm.tokenizer.pad_token = lm.tokenizer.eos_token
    real = documents(lm.tokenizer, median_bytes)
    rows = [{"input_ids": ids} for ids in [ids[:3] for ids in real] + real * steps]
    if variant.padded:
        collate = transformers.DataCollatorForLanguageModeling(lm.tokenizer, mlm=False)
    else:
        collate = transformers.DataCollatorWithFlattening()
    with tempfile.TemporaryDirectory() as directory:
        arguments = transformers.TrainingArguments(
            directory,
            max_steps=1 + steps,
            train_sampling_strategy="sequential",
            learning_rate=1e-5,
            lr_scheduler_type="constant",
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
            **SETTINGS[setting],
        )
        trainer = variant.trainer(
            lm.model, arguments, data_collator=collate, train_dataset=rows, callbacks=[Watch()]
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()


def documents(tokenizer: Any, median_bytes: float) -> list[list[int]]:
    return [tokenizer(text).input_ids for text in corpus.documents(DOCUMENTS, median_bytes=median_bytes)]


def print_table(setting: str, taken: dict[str, list[dict[str, float]]]) -> None:
    def column(name: str, what: str) -> list[float]:
        return [step[what] for step in taken[name]]

    ours, least = column(OURS, "seconds"), max(column(OURS, "mib"))
    cells = []
    for name in VARIANTS:
        seconds, mib = column(name, "seconds"), max(column(name, "mib"))
        cells.append(
            [
                name,
                f"{mib:,.0f} MiB",
                f"{mib / least:.2f}x",
                f"{min(seconds):.1f} s",
                f"{min(seconds) / min(ours):.2f}x / {median(seconds) / median(ours):.2f}x",
            ]
        )
    show.table(setting, ["", "peak memory", "of ours", "time", "of ours, best / median"], cells)


if __name__ == "__main__":
    main()
