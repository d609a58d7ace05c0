"""What benchmarks/icl_ginc.py found, drawn: emergence, controls, tuning, and the prior."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pyfastlm.lm.files import pictures as files

Doubles = Any


def picture(found: dict[str, Any], path: Path) -> None:
    """Emergence, controls, tuning, and the prior."""
    seeds = found["seeds"]
    last = np.array([seed["emergence"][-1]["p"] for seed in seeds])  # [seeds, H, S]
    shots = np.arange(1, last.shape[-1] + 1)
    amounts = [row["amount"] for row in seeds[0]["tuned"]["SFT on model 0"]]
    with files.picture(path, (11, 6.4), "icl", font_size=8) as figure:
        axes = figure.subplots(2, 3)
        emerging(axes[0, 0], seeds, shots)
        beside(axes[0, 1], found, last, shots)
        for h in range(last.shape[1]):
            axes[0, 2].plot(shots, last[:, h].mean(axis=0), label=f"model {h}")
        axes[0, 2].set_title("last step, by model", loc="left")
        for panel, way in zip(axes[1, :2], ("SFT on model 0", "DPO for model 0"), strict=True):
            for n, amount in enumerate(amounts):
                p = np.mean([seed["tuned"][way][n]["p"] for seed in seeds], axis=0)
                panel.plot(shots, p[0], color=f"C{n}", label=f"{amount} texts")
                panel.plot(shots, p[1:].mean(axis=0), ":", color=f"C{n}")
            panel.set_title(f"{way}; dotted: prompts by the others", loc="left")
        for panel in axes.flat[:5]:
            files.logarithmic(panel)
            panel.set_xlabel("shots")
            panel.set_ylabel("probability")
        for law, mine in found["laws"]["SFT on model 0"]["numbers"].items():
            values = np.array([one["prior of model 0"] for one in mine])
            axes[1, 2].plot(range(len(amounts)), values.mean(axis=0), "o-", label=law)
        axes[1, 2].set_xticks(range(len(amounts)), map(str, amounts))
        axes[1, 2].set_title("prior of model 0 by texts of SFT", loc="left")
        for panel in axes.flat:
            panel.legend(fontsize=6)


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
