"""The section "Small models on GINC" of docs/icl.md: does in-context learning emerge, and what moves a prior?

    python benchmarks/icl_ginc.py [--seeds 0 1 2] [--home DIRECTORY]

For each seed a small Llama is trained on documents by five hidden Markov models. At log-spaced steps its
curves on prompts of k = 3 are measured, beside those of learners that are known: exact Bayes, and two that
cannot learn which model writes. Then it is fine-tuned on model 0 by several amounts, by SFT and by DPO, and,
as a control, on as many words of the mixture. All six laws are fitted to these curves with the amounts as
groups. The settings were fixed after runs of seed 0 alone; nothing here decides what counts as a success.

Killed and started again, it goes on where it was. Writes benchmarks/results/icl_ginc.json and .png.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from icl_ginc_pictures import picture
from icl_ginc_tables import FRACTIONS, LATE, tables

from pyfastlm._durable import replacing
from pyfastlm.icl import (
    GINC,
    Bayesian,
    Shape,
    TrainingOptions,
    answered,
    beliefs,
    compare,
    documents,
    dpo,
    fit,
    ginc_curves,
    mixed_prompts,
    prompts,
    sft,
    shuffled_prompts,
    train_ginc,
)
from pyfastlm.icl.ginc.prompts import Prompts
from pyfastlm.icl.training.objectives import text_logps
from pyfastlm.lm import LM, load, smollm2

RESULTS = Path(__file__).parent / "results" / "icl_ginc.json"
WORLD = GINC.make(5)
K, SHOTS = 3, 64
COUNT = 60  # prompts by each model
SHAPE = Shape(layers=4, width=64, heads=4)
PRETRAINING = TrainingOptions(
    steps=3000, batch_size=8, smoothing=0.1, lr=8e-3, cooldown=0.4, grid=(100, 200, 400, 800, 1600, 3000)
)
TUNING = TrainingOptions(steps=1, batch_size=8, smoothing=0.1, lr=5e-4, warmup=5, log_every=8)
PREFERENCE = replace(TUNING, lr=1e-4)
AMOUNTS = (0, 16, 64, 256, 1024)
Doubles = Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--home", type=Path, default=smollm2.cache_dir() / "icl_ginc")
    given = parser.parse_args()
    torch.set_num_threads(1)
    words = PRETRAINING.steps * PRETRAINING.batch_size * PRETRAINING.length
    print(f"{PRETRAINING.steps} steps, {words / 1e6:.1f} million words a seed; one thread")
    yardsticks = cached(given.home / "yardsticks.json", known_learners)
    seeds = []
    for seed in given.seeds:
        seeds.append(of_seed(seed, given.home / f"seed-{seed}"))
        found = {
            "world": {"hmms": WORLD.hmms, "symbols": WORLD.symbols, "digest": WORLD.digest()},
            "k": K,
            "shape": asdict(SHAPE),
            "pretraining": asdict(PRETRAINING),
            "tuning": asdict(TUNING),
            "preference": asdict(PREFERENCE),
            "prompts by each model": COUNT,
            "known learners": yardsticks,
            "seeds": seeds,
            "laws": laws(seeds),
        }
        RESULTS.parent.mkdir(exist_ok=True)
        write(RESULTS, found)
    tables(found)
    picture(found, RESULTS.with_suffix(".png"))


def held_out() -> Doubles:
    """Texts [100, length] that no run was trained on."""
    given = PRETRAINING
    return documents(WORLD, given.length, count=100, smoothing=given.smoothing, seed=(1, 0, 0)).tokens


def known_learners() -> dict[str, Any]:
    """Mean probabilities [H][S] of the labels by learners that are known, and their nats of a word."""
    given = [prompts(WORLD, hmm, K, shots=SHOTS, count=COUNT) for hmm in range(WORLD.hmms)]
    texts = held_out()

    def one(transitions: Doubles, start: Doubles) -> GINC:
        return replace(WORLD, transitions=transitions, start=start)

    alone = [one(WORLD.transitions[[h]], WORLD.start[[h]]) for h in range(WORLD.hmms)]
    average = one(WORLD.transitions.mean(0, keepdims=True), WORLD.start.mean(0, keepdims=True))

    def p(world: GINC, each: Prompts) -> Doubles:
        found = beliefs(world, each.tokens, smoothing=PRETRAINING.smoothing)
        return found.answers(each).mean(axis=0)

    def nats(world: GINC) -> float:
        found = beliefs(world, texts, smoothing=PRETRAINING.smoothing).words[:, :-1]
        return float(-np.log(np.take_along_axis(found, texts[:, 1:, None], axis=2)).mean())

    return {
        "exact Bayes": [p(WORLD, each).tolist() for each in given],
        "the average model": [p(average, each).tolist() for each in given],
        "the mixture, never updated": [
            np.mean([p(world, each) for world in alone], axis=0).tolist() for each in given
        ],
        "nats": {"exact Bayes": nats(WORLD), "the average model": nats(average)},
    }


def of_seed(seed: int, home: Path) -> dict[str, Any]:
    """Train, tune and measure; every part is kept."""
    options = replace(PRETRAINING, seed=seed)
    run = train_ginc(WORLD, home / "pretraining", shape=SHAPE, options=options)
    print(f"seed {seed}: pretrained in {run.seconds / 60:.1f} minutes", flush=True)
    emergence = [
        cached(home / f"step-{path.name}.json", lambda path=path: checkpoint(path))
        for path in run.checkpoints
    ]
    tuned: dict[str, Any] = {}
    ways: dict[str, Callable[[Path], Any]] = {
        "SFT on model 0": lambda path: sft(
            run.lm, WORLD, replace(TUNING, seed=seed + 100), path, amounts=AMOUNTS
        ),
        "DPO for model 0": lambda path: dpo(
            run.lm, WORLD, replace(PREFERENCE, seed=seed + 100), path, amounts=AMOUNTS
        ),
        "SFT on the mixture": lambda path: sft(
            run.lm, WORLD, replace(TUNING, seed=seed + 100), path, hmms=range(WORLD.hmms), amounts=AMOUNTS
        ),
    }
    for name, tune in ways.items():
        place = name.replace(" ", "-")
        tuned[name] = cached(
            home / f"{place}.json", lambda tune=tune, place=place: amounts(tune(home / place))
        )
        print(f"seed {seed}: {name} done", flush=True)
    return {
        "seed": seed,
        "pretraining minutes": run.seconds / 60,
        "log": [asdict(entry) for entry in run.log],
        "emergence": emergence,
        "controls": cached(home / "controls.json", lambda: controls(run.lm)),
        "tuned": tuned,
    }


def checkpoint(path: Path) -> dict[str, Any]:
    """What a checkpoint has learnt: nats of a word of new documents, and curves."""
    lm = load(path)
    texts = held_out()
    with torch.inference_mode():
        nats = -float(text_logps(lm.model, WORLD, texts).mean()) / PRETRAINING.length
    return {"step": int(path.name.rpartition("-")[2]), "nats": nats, **curves(lm)}


def curves(lm: LM) -> dict[str, Any]:
    """Curves, and how much the probability of the label rises from the first two shots to the late ones: the
    mean over prompts, with its standard error."""
    found = ginc_curves(lm, WORLD, k=K, shots=SHOTS, count=COUNT)
    p, right = found.p.round(5).tolist(), found.accuracy.round(5).tolist()
    return {"p": p, "accuracy": right, **gain([each.p for each in found.answers])}


def gain(answers: Sequence[Doubles]) -> dict[str, float]:
    """Late shots less the first two, over the prompts [N, S] of all models."""
    p = np.concatenate(answers)
    rise = p[:, LATE:].mean(axis=1) - p[:, :2].mean(axis=1)
    return {"gain": float(rise.mean()), "error": float(rise.std(ddof=1) / len(rise) ** 0.5)}


def controls(lm: LM) -> dict[str, Any]:
    """Prompts from which less, or nothing, can be learnt."""
    mixed = answered(lm, WORLD, mixed_prompts(WORLD, K, shots=SHOTS, count=COUNT * WORLD.hmms))
    dealt = [
        answered(lm, WORLD, shuffled_prompts(prompts(WORLD, hmm, K, shots=SHOTS, count=COUNT)))
        for hmm in range(WORLD.hmms)
    ]
    return {
        "each shot by any model": {"p": [mixed.p.mean(axis=0).round(5).tolist()], **gain([mixed.p])},
        "last words dealt anew": {
            "p": [each.p.mean(axis=0).round(5).tolist() for each in dealt],
            **gain([each.p for each in dealt]),
        },
    }


def amounts(tuned: Any) -> list[dict[str, Any]]:
    """Curves after each amount."""
    return [{"amount": amount, **curves(lm)} for amount, lm in zip(tuned.amounts, tuned.lms, strict=True)]


def laws(seeds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All laws on the curves of each seed and way; priors and efficiencies of the Bayesian ones."""
    shots = np.arange(1.0, SHOTS + 1)
    found: dict[str, Any] = {}
    for way in seeds[0]["tuned"]:
        sets = [(shots, -np.log([row["p"] for row in seed["tuned"][way]])) for seed in seeds]
        compared = compare(sets, fractions=FRACTIONS)
        found[way] = {
            "means": [row._asdict() for row in compared.means()],
            "numbers": {
                law: [numbers(law, *each) for each in sets]
                for law in ("bayesian", "bayesian_sampling", "bayesian_scoring")
            },
        }
    return found


def numbers(law: Any, shots: Doubles, nll: Doubles) -> dict[str, Any]:
    """The prior of model 0 and the efficiency at each amount."""
    found = fit(law, shots, nll)
    assert isinstance(found.params, Bayesian)
    return {
        "prior of model 0": found.params.prior[:, 0].tolist(),
        "efficiency": found.params.efficiency.tolist(),
        "warnings": list(found.warnings),
    }


def cached(path: Path, make: Callable[[], Any]) -> Any:
    """What ``make`` gives, kept at ``path``."""
    if path.exists():
        return json.loads(path.read_bytes())
    found = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, found)
    return found


def write(path: Path, value: Any) -> None:
    with replacing(path, path.with_name(f".{path.name}.tmp")) as file:
        file.write(json.dumps(value, separators=(",", ":")).encode() + b"\n")


if __name__ == "__main__":
    main()
