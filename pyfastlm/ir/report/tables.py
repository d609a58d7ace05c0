"""Tables of a study, and what they say in words."""

from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean
from textwrap import shorten
from typing import Any

import numpy as np

from pyfastlm._markdown import Table
from pyfastlm.ir.measures.bootstrap import Difference, Interval
from pyfastlm.ir.study.records import BM25_LINE, COSINES_LINE, FIRST_SENTENCE, RANDOM_START, Study

NOTHING = "-"
LONGEST = 90  # characters of a document in a table


def rows(study: Study) -> Table:
    """What PATH is compared with: lines without training, controls, and some of the prompts."""
    random = study.prompts[1]
    shown = [
        ("BM25", BM25_LINE),
        (COSINES_LINE, COSINES_LINE),
        ("no model: first sentences", FIRST_SENTENCE),
        ("manual prompt", study.manual),
        ("random prompt (drawn first)", random),
        ("best prompt by gold", study.best),
        ("worst prompt by gold", study.worst),
        ("random weights, best prompt", RANDOM_START),
    ]
    return _compared(study, shown)


def overview(study: Study) -> Table:
    """All of it in one table: lines, controls, and every prompt by its number, best first by gold."""
    shown = [
        ("BM25", BM25_LINE),
        (COSINES_LINE, COSINES_LINE),
        ("no model: first sentences", FIRST_SENTENCE),
        *((f"prompt {number}{_marks(study, name)}", name) for number, name in enumerate(study.order, 1)),
        ("random weights, chosen prompt", RANDOM_START),
    ]
    return _compared(study, shown)


def prompts(study: Study) -> Table:
    """All prompts, best first by gold."""
    cells = []
    for number, name in enumerate(study.order, 1):
        first = study.measured[name][0]
        cells.append(
            [
                f"{number}. {name}{_marks(study, name)}",
                _spread(study, name, 0),
                _spread(study, name, 1),
                _examples(study, name),
                f"{first.kept:.2f}",
                f"{first.overlap:.2f}",
                f"{first.copied:.2f}",
            ]
        )
    note = (
        "Gold and test: NDCG@10 in %, mean and standard deviation over seeds. Kept: share of the documents "
        "whose query was usable. Overlap: share of a query's words that are in its document; copied: share "
        "of its runs of four words. Numbers are those of the picture."
    )
    columns = ["prompt", "gold", "test", "examples", "kept", "overlap", "copied"]
    return Table("Prompts", columns, cells, note)


def rungs(study: Study) -> Table:
    """What the search saw."""
    cells = [
        [
            name,
            *(
                f"{100 * dict(zip(rung.prompts, rung.scores, strict=True))[name]:.1f}"
                if name in rung.prompts
                else NOTHING
                for rung in study.rungs
            ),
        ]
        for name in study.rungs[0].prompts
    ]
    columns = ["gold NDCG@10", *(f"{rung.documents} documents" for rung in study.rungs)]
    return Table("Rungs of the search", columns, cells, "Successive halving, by gold queries alone.")


def queries(study: Study) -> Table:
    """What the prompts have made of the first documents."""
    cells = [
        [f"{number}", shorten(each.document, LONGEST), each.query, each.reason or NOTHING]
        for number, name in enumerate(study.order, 1)
        for each in study.written.get(name, ())
    ]
    columns = ["prompt", "document", "query", "left out as"]
    return Table("Queries", columns, cells, "All prompts write for the same documents; these are the first.")


def costs(study: Study) -> Table:
    """What it took."""
    parts = [
        ("writing queries", study.writing),
        ("training", study.took("training")),
        ("scoring gold and test", study.took("scoring")),
        ("lower rungs of the search", (study.searching, float("nan"))),
    ]
    cells = [[name, *(f"{s / 60:.1f}" if s == s else NOTHING for s in took)] for name, took in parts]
    note = "Minutes on the wall, where others on the machine count, and of all processor cores together."
    return Table("Time", ["", "wall", "processor"], cells, note)


def verdicts(study: Study) -> list[str]:
    """What the numbers say, whatever that is."""
    said = []
    over = study.difference(study.best, study.manual)
    if study.best == study.manual:
        said.append("The search chose the manual prompt.")
    else:
        clear = over.low > 0 or over.high < 0
        said.append(
            f"The chosen prompt is {_signed(over)} points from the manual one on test, "
            + ("beyond its interval." if clear else "which the interval does not tell from 0.")
        )
    said.append(f"Over {len(study.prompts)} prompts, gold and test scores have {study.correlation}.")
    if len(study.search.seeds) == 1:
        said.append("One seed: with another, another prompt may be chosen.")
    else:
        spreads = [float(study.by_seed(name)[:, 0].std(ddof=1)) for name in study.prompts]
        between = float(np.std([study.gold(name).mean() for name in study.prompts], ddof=1))
        said.append(
            f"Seeds of one prompt differ by {100 * fmean(spreads):.1f} points on gold (mean standard "
            f"deviation), prompts by {100 * between:.1f}."
        )
    best = study.difference(study.best, COSINES_LINE)
    if best.low <= 0:
        said.append(
            f"No training beats the encoder as it is beyond doubt: the chosen prompt's reranker is "
            f"{_signed(best)} points from its cosines."
        )
    return said


def summary(study: Study) -> dict[str, Any]:
    """The same for programs."""
    return {
        "task": study.task,
        "documents": study.rungs[-1].documents,
        "manual": study.manual,
        "best": study.best,
        "worst": study.worst,
        "spearman": asdict(study.correlation),
        "rows": {
            name: {
                "gold": float(study.gold(name).mean()),
                "test": study.interval(name)._asdict(),
                "by_seed": study.by_seed(name).tolist(),
                "examples": fmean(row.examples for row in study.measured[name]),
            }
            for name in study.measured
        },
        "rungs": [asdict(rung) for rung in study.rungs],
        "verdicts": verdicts(study),
    }


def _compared(study: Study, shown: Sequence[tuple[str, str]]) -> Table:
    """Rows of a label and of what is named so; differences are to the manual prompt."""
    seeds = len(study.search.seeds)
    cells = [
        [
            label,
            f"{100 * float(study.gold(name).mean()):.1f}",
            _interval(study.interval(name)),
            NOTHING if name == study.manual else _signed(study.difference(name, study.manual)),
            *([_seeds(study, name)] if seeds > 1 else []),
            _examples(study, name),
        ]
        for label, name in shown
    ]
    gold, test = (len(of(study.manual)) for of in (study.gold, study.test))
    note = (
        f"NDCG@10 in %, {f'means over {seeds} seeds' if seeds > 1 else 'one seed'}; {gold} gold queries "
        f"choose, {test} others report. Intervals: 95 % bootstrap over test queries, for these seeds; "
        "against the manual prompt: paired by query. Examples: that were trained on, mean over seeds."
    )
    by_seed = ["test by seed"] if seeds > 1 else []
    return Table(study.task, ["", "gold", "test", "against manual", *by_seed, "examples"], cells, note)


def _marks(study: Study, name: str) -> str:
    marks = [mark for mark, of in (("manual", study.manual), ("chosen", study.best)) if of == name]
    return f" ({', '.join(marks)})" if marks else ""


def _examples(study: Study, name: str) -> str:
    counts = [row.examples for row in study.measured[name]]
    return f"{fmean(counts):.0f}" if any(counts) else NOTHING


def _seeds(study: Study, name: str) -> str:
    values = study.by_seed(name)[:, 1]
    return NOTHING if len(values) < 2 else ", ".join(f"{100 * value:.1f}" for value in values)


def _spread(study: Study, name: str, column: int) -> str:
    values = 100 * study.by_seed(name)[:, column]
    return f"{values.mean():.1f}" + (f" +- {values.std(ddof=1):.1f}" if len(values) > 1 else "")


def _interval(of: Interval) -> str:
    return f"{100 * of.mean:.1f} [{100 * of.low:.1f}, {100 * of.high:.1f}]"


def _signed(of: Difference) -> str:
    return f"{100 * of.mean:+.1f} [{100 * of.low:+.1f}, {100 * of.high:+.1f}]"
