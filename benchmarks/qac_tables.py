"""The tables of docs/qac.md: every engine on made-up sessions, and on real queries where those are at hand.

    python benchmarks/qac_tables.py [rows [engine ...]]

Takes an hour on two cores with 300 rows; writes benchmarks/results/qac.json. With names of engines only these
are run, on the made-up sessions, and put beside the results that are there.
"""

import csv
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from pyfastlm.cli import show
from pyfastlm.demo import ngrams
from pyfastlm.index import TermIndex
from pyfastlm.lm import load
from pyfastlm.qac import Habits, Row, compare, generate, one_prefix
from pyfastlm.qac.comparison import ENGINES, Comparison
from pyfastlm.qac.sessions import FIRST_DAY, typing
from pyfastlm.qac.split import sample

SESSIONS, TRAIN, EARLIER = 40_000, 20, 5  # and days
TUNED_ON = 1500
ALONE = ("no order", "popularity", "typos", "conjunctive", "semantic", "generate", "generate inside")
SLIPS = {0.0: ALONE, 0.05: ALONE[:4]}  # of keys, and what is compared with so many
REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "qac"
RESULTS = Path(__file__).parent / "results" / "qac.json"


def made_up(lm: Any, count: int, engines: Sequence[str], seed: int, directory: Path) -> Comparison:
    rows = generate(ngrams.counts().items(), SESSIONS, seed=seed)
    first, second = (FIRST_DAY + timedelta(days=days) for days in (TRAIN, TRAIN + EARLIER))
    counts = Counter(row.term for row in rows if row.time < first)
    later = one_prefix(rows, since=first, seed=seed)
    return compare(
        TermIndex.build(counts.items(), directory / "log"),
        sample([row for row in later if row.time >= second], count, seed=seed),
        engines,
        lm=lm,
        earlier=sample([row for row in later if row.time < second], TUNED_ON, seed=seed),
        seed=seed,
        progress=True,
    )


def queries() -> dict[str, dict[str, float]]:
    """Real queries with their popularity, 1 where the source has none."""
    with open(REAL / "ecommerce_queries.tsv", encoding="utf-8") as file:
        shop = {row[0]: float(row[1]) for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)}
    with open(REAL / "wands.query.csv", encoding="utf-8") as file:
        wands = {row["query"]: 1.0 for row in csv.DictReader(file, delimiter="\t")}
    web = (REAL / "trec_05.part_a.txt").read_text("utf-8").splitlines()
    return {"e-commerce": shop, "WANDS": wands, "TREC 2005": dict.fromkeys(filter(None, web), 1.0)}


def typed(popularity: Mapping[str, float], count: int, slip: float, seed: int) -> list[Row]:
    """Queries drawn by popularity, each typed to a point that is drawn evenly."""
    rng = random.Random(seed)
    drawn = rng.choices(list(popularity), list(popularity.values()), k=count)
    habits = Habits(slip=slip, accept=0.0)
    return [
        Row(
            str(place),
            str(place),
            (),
            (rng.choice(typing(term, rng, habits)),),
            FIRST_DAY,
            term,
            FIRST_DAY,
            None,
        )
        for place, term in enumerate(drawn)
    ]


def tell(title: str, result: Comparison, found: dict[str, Any]) -> None:
    """Print a comparison and put it into the file, over what ``found`` has of the same engines."""
    limits = result.rows[0].report.ceilings
    show.table(f"{title}: {result.rows[0].report.n} rows", result.columns(), result.cells())
    print(f"ceilings: {limits}\nweights: {result.weights}\nloss: {result.loss}", flush=True)
    now, before = result.as_dict(), found.get(title, {"engines": [], "weights": {}, "loss": []})
    engines = {row["engine"]: row for row in before["engines"] + now["engines"]}
    found[title] = {
        "engines": [*engines.values()],
        "weights": before["weights"] | now["weights"],
        "loss": now["loss"] or before["loss"],
    }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def main(arguments: Sequence[str]) -> None:
    count = int(arguments[0]) if arguments else 300
    engines = tuple(arguments[1:])
    lm = load("smollm2")
    found: dict[str, Any] = json.loads(RESULTS.read_text("utf-8")) if engines else {}
    with tempfile.TemporaryDirectory() as directory:
        result = made_up(lm, count, engines or tuple(ENGINES), 0, Path(directory))
        tell("made-up sessions", result, found)
        if engines:
            return
        if not REAL.is_dir():
            print(f"left out: real queries, {REAL} is not there")
            return
        words = TermIndex.build(
            ngrams.counts().items(), Path(directory) / "words", normalizer="nfkc_casefold"
        )
        for name, popularity in queries().items():
            for slip, engines in SLIPS.items():
                rows = typed(popularity, count, slip, seed=0)
                tell(f"{name}, slips {slip:.0%}", compare(words, rows, engines, lm=lm, progress=True), found)
        own = TermIndex.build(
            queries()["e-commerce"].items(), Path(directory) / "own", normalizer="nfkc_casefold"
        )
        rows = typed(queries()["e-commerce"], count, 0.0, seed=0)
        tell("e-commerce from its own counts, a check of the plumbing", compare(own, rows), found)


if __name__ == "__main__":
    main(sys.argv[1:])
