"""What benchmarks/icl_ginc.py found, in tables."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pyfastlm.cli import show

LATE = 32  # shots from here on are late
SHOWN = (1, 2, 3, 5, 9, 17, 33, 64)
FRACTIONS = (1.0, 0.1, 0.5)  # of the shots that laws are fitted to
Doubles = Any


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
            for h in range(found["world"]["hmms"])
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
        ["", "law", "what", *(str(row["amount"]) for row in next(iter(seeds[0]["tuned"].values())))],
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
