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
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pyfastlm._durable import replacing
from pyfastlm._require import require
from pyfastlm.cli import show
from pyfastlm.icl import (
    GINC,
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
LATE = 32  # shots from here on are late
SHOWN = (1, 2, 3, 5, 9, 17, 33, 64)
FRACTIONS = (1.0, 0.1, 0.5)
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
        found = beliefs(world, each.tokens, smoothing=PRETRAINING.smoothing).words[:, each.places]
        return np.take_along_axis(found, each.labels[..., None], axis=2)[..., 0].mean(axis=0)

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
    started = time.process_time()
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
        "CPU minutes now": (time.process_time() - started) / 60,
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
    return {"p": found.p.tolist(), "accuracy": found.accuracy.tolist(), **gain([a.p for a in found.answers])}


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
        "each shot by any model": {"p": [mixed.p.mean(axis=0).tolist()], **gain([mixed.p])},
        "last words dealt anew": {
            "p": [each.p.mean(axis=0).tolist() for each in dealt],
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
    return {
        "prior of model 0": found.params.prior[:, 0].tolist(),  # type: ignore[union-attr]
        "efficiency": found.params.efficiency.tolist(),  # type: ignore[union-attr]
        "warnings": list(found.warnings),
    }


def tables(found: dict[str, Any]) -> None:
    """Print what came of it."""
    seeds, places = found["seeds"], [n - 1 for n in SHOWN]

    def over(rows: Any) -> list[str]:
        """Mean probabilities over seeds and models at some shots."""
        return [f"{v:.3f}" for v in np.mean(rows, axis=(0, 1))[places]]

    def spread(values: Sequence[float]) -> str:
        return f"{np.mean(values):+.3f} ({min(values):+.3f} to {max(values):+.3f})"

    known = found["known learners"]
    rows = [
        [
            f"step {each['step']}",
            f"{np.mean([s['emergence'][n]['nats'] for s in seeds]):.3f}",
            *over([s["emergence"][n]["p"] for s in seeds]),
            spread([s["emergence"][n]["gain"] for s in seeds]),
        ]
        for n, each in enumerate(seeds[0]["emergence"])
    ]
    for name in seeds[0]["controls"]:
        mine = [s["controls"][name] for s in seeds]
        rows.append([name, "", *over([m["p"] for m in mine]), spread([m["gain"] for m in mine])])
    for name in ("exact Bayes", "the average model", "the mixture, never updated"):
        p = np.array(known[name])
        nats = known["nats"].get(name)
        rise = float((p[:, LATE:].mean(axis=1) - p[:, :2].mean(axis=1)).mean())
        rows.append([name, "" if nats is None else f"{nats:.3f}", *over([p]), f"{rise:+.3f}"])
    show.table(
        f"Probability of the likeliest word, mean over models and {len(seeds)} seeds",
        ["", "nats a word", *(f"shot {n}" for n in SHOWN), "late less first two (seeds)"],
        rows,
    )
    last = [s["emergence"][-1]["p"] for s in seeds]
    show.table(
        "The last step, by model",
        ["model", *(f"shot {n}" for n in SHOWN), "exact Bayes, late"],
        [
            [
                str(h),
                *over([[p[h]] for p in last]),
                f"{np.mean(known['exact Bayes'][h][LATE:]):.3f}",
            ]
            for h in range(WORLD.hmms)
        ],
    )
    show.table(
        "After tuning: probability at shot 1 and late, prompts by model 0 and by the others",
        ["", "texts", "model 0, shot 1", "model 0, late", "others, shot 1", "others, late", "gain of others"],
        [
            [way, str(row["amount"]), *moved([s["tuned"][way][n]["p"] for s in seeds])]
            for way in seeds[0]["tuned"]
            for n, row in enumerate(seeds[0]["tuned"][way])
        ],
    )
    show.table(
        "Laws: error over the mean, mean over seeds",
        ["", "law", "numbers", *(f"fitted to {f:.0%}" for f in FRACTIONS)],
        [
            [way, law, *error_row(part["means"], law)]
            for way, part in found["laws"].items()
            for law in dict.fromkeys(row["law"] for row in part["means"])
        ],
    )
    show.table(
        "What the Bayesian laws say, by amount, mean over seeds (of the seeds)",
        ["", "law", "what", *(str(a) for a in AMOUNTS)],
        [
            [way, law, what, *by_amount([one[what] for one in mine])]
            for way, part in found["laws"].items()
            for law, mine in part["numbers"].items()
            for what in ("prior of model 0", "efficiency")
        ],
    )


def moved(p: Doubles) -> list[str]:
    """Of curves [seeds, H, S]."""
    p = np.array(p)
    first, late = p[..., 0].mean(axis=0), p[..., LATE:].mean(axis=(0, 2))
    return [
        f"{v:.3f}"
        for v in (first[0], late[0], first[1:].mean(), late[1:].mean(), late[1:].mean() - first[1:].mean())
    ]


def error_row(means: Sequence[dict[str, Any]], law: str) -> list[str]:
    mine = {row["fraction"]: row for row in means if row["law"] == law}
    return [
        str(mine[1.0]["n_params"] if 1.0 in mine else ""),
        *(f"{mine[f]['nrmse']:.4f}" if f in mine else "" for f in FRACTIONS),
    ]


def by_amount(values: Any) -> list[str]:
    values = np.array(values)
    return [
        f"{mean:.3f} ({low:.3f}-{high:.3f})"
        for mean, low, high in zip(values.mean(0), values.min(0), values.max(0), strict=True)
    ]


def picture(found: dict[str, Any], path: Path) -> None:
    """Emergence, controls, tuning, and the prior."""
    matplotlib, figures = require("matplotlib", "icl"), require("matplotlib.figure", "icl")
    seeds, shots = found["seeds"], np.arange(1, SHOTS + 1)
    last = np.array([seed["emergence"][-1]["p"] for seed in seeds])  # [seeds, H, S]
    with matplotlib.rc_context({"font.size": 8, "text.parse_math": False}):
        figure = figures.Figure(figsize=(11, 6.4), layout="constrained")
        axes = figure.subplots(2, 3)
        emerging(axes[0, 0], seeds, shots)
        beside(axes[0, 1], found, last, shots)
        for h in range(WORLD.hmms):
            axes[0, 2].plot(shots, last[:, h].mean(axis=0), label=f"model {h}")
        axes[0, 2].set_title("last step, by model", loc="left")
        for panel, way in zip(axes[1, :2], ("SFT on model 0", "DPO for model 0"), strict=True):
            for n, amount in enumerate(AMOUNTS):
                p = np.mean([seed["tuned"][way][n]["p"] for seed in seeds], axis=0)
                panel.plot(shots, p[0], color=f"C{n}", label=f"{amount} texts")
                panel.plot(shots, p[1:].mean(axis=0), ":", color=f"C{n}")
            panel.set_title(f"{way}; dotted: prompts by the others", loc="left")
        for panel in axes.flat[:5]:
            panel.set_xscale("log")
            panel.set_xlabel("shots")
            panel.set_ylabel("probability")
        for law, mine in found["laws"]["SFT on model 0"]["numbers"].items():
            values = np.array([one["prior of model 0"] for one in mine])
            axes[1, 2].plot(range(len(AMOUNTS)), values.mean(axis=0), "o-", label=law)
        axes[1, 2].set_xticks(range(len(AMOUNTS)), map(str, AMOUNTS))
        axes[1, 2].set_title("prior of model 0 by texts of SFT", loc="left")
        for panel in axes.flat:
            panel.legend(fontsize=6)
        with replacing(path, path.with_name(f".{path.name}.tmp")) as file:
            figure.savefig(file, format="png", dpi=110, metadata={"Software": None})


def emerging(panel: Any, seeds: Sequence[dict[str, Any]], shots: Doubles) -> None:
    """A curve for each step, the darker the later."""
    steps = [each["step"] for each in seeds[0]["emergence"]]
    for n, step in enumerate(steps):
        p = np.mean([seed["emergence"][n]["p"] for seed in seeds], axis=(0, 1))
        share = (n + 1) / len(steps)
        panel.plot(shots, p, color=(0.85 - 0.8 * share, 0.85 - 0.6 * share, 0.9), label=f"step {step}")
    panel.set_title("emergence, mean over models and seeds", loc="left")


def beside(panel: Any, found: dict[str, Any], last: Doubles, shots: Doubles) -> None:
    """The curve of each seed, those of its controls, and of known learners."""
    for name, values in found["known learners"].items():
        if name != "nats":
            panel.plot(shots, np.mean(values, axis=0), "--", label=name)
    for p in last:
        panel.plot(shots, p.mean(axis=0), color="#1f5fa8", lw=0.9)
    for name in found["seeds"][0]["controls"]:
        p = np.mean([seed["controls"][name]["p"] for seed in found["seeds"]], axis=(0, 1))
        panel.plot(shots, p, lw=0.9, label=name)
    panel.set_title("last step (each seed), controls, known learners", loc="left")


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
        file.write(json.dumps(value, indent=1).encode() + b"\n")


if __name__ == "__main__":
    main()
