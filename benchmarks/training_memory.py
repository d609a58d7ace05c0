"""A step of transformers' Trainer in time and peak memory: with padding or without, with logits or without.

    OMP_NUM_THREADS=1 PYTHONPATH=tests python benchmarks/training_memory.py [--steps 3] [--median-bytes 160]

SmolLM2-135M in float32, AdamW, eight documents of very different lengths in a step. Every variant trains in
processes of its own: first a step on a few tokens, which makes AdamW's state, then those that are measured,
for times all variants in turns. All have the same losses and norms of gradients.

Peak memory is what a step adds to what is resident before it: gradients and all that is kept for them, but
neither weights nor AdamW's state. It is measured twice: with each tensor a mapping of its own, which is what
the step needs, and with glibc's malloc as it is, whose heap has holes. Time is that of the processor, because
machines are shared. Writes benchmarks/results/training_memory.json.
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
    parser.add_argument("--median-bytes", type=float, default=160.0, help="of a document")
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
        found["settings"][setting] = measured(setting, given.steps, given.median_bytes)
        print_table(setting, found["settings"][setting])
        found["minutes"] = (time.perf_counter() - started) / 60
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")


def measured(setting: str, steps: int, median_bytes: float) -> dict[str, dict[str, Any]]:
    """Of each variant what it needs, and what each step takes; a step of each after the other."""
    needs = {}
    for name in VARIANTS:
        alone = process(name, setting, 1, median_bytes, MALLOC_MMAP_THRESHOLD_="65536")
        needs[name] = step(alone)["mib"]
        assert alone.wait() == 0
    racers = {name: process(name, setting, steps, median_bytes) for name in VARIANTS}
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in VARIANTS}
    for _ in range(steps):
        for name, racer in racers.items():
            taken[name].append(step(racer))
            for what in "loss", "gradient":
                found, expected = (taken[which][-1][what] for which in (name, "padded"))
                np.testing.assert_allclose(found, expected, rtol=1e-4, err_msg=f"{name}, {what}")
    for racer in racers.values():
        assert racer.wait() == 0
    return {name: {"mib": needs[name], "steps": taken[name]} for name in VARIANTS}


def process(
    name: str, setting: str, steps: int, median_bytes: float, **environment: str
) -> "subprocess.Popen[str]":
    """One in which a variant trains, ready for the first step that is measured."""
    started = subprocess.Popen(
        [
            *(sys.executable, __file__, "--train", name, setting),
            *("--steps", str(steps), "--median-bytes", str(median_bytes)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    assert told(started) == "ready"
    return started


def step(racer: "subprocess.Popen[str]") -> dict[str, float]:
    assert racer.stdin is not None
    print("go", file=racer.stdin, flush=True)
    return told(racer)


def told(racer: "subprocess.Popen[str]") -> Any:
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


def print_table(setting: str, found: dict[str, dict[str, Any]]) -> None:
    seconds = {name: [step["seconds"] for step in of["steps"]] for name, of in found.items()}
    ours, rows = seconds[OURS], []
    for name, of in found.items():
        heap = max(step["mib"] for step in of["steps"])
        best, middle = min(seconds[name]) / min(ours), median(seconds[name]) / median(ours)
        needs = f"{of['mib']:,.0f} MiB, {of['mib'] / found[OURS]['mib']:.2f}x"
        rows.append(
            [name, needs, f"{heap:,.0f} MiB", f"{min(seconds[name]):.1f} s", f"{best:.2f}x / {middle:.2f}x"]
        )
    show.table(setting, ["", "needs", "glibc's heap", "time", "best / median"], rows)


if __name__ == "__main__":
    main()
