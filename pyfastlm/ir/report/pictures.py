"""The picture of a report: the gold score of every prompt against its test score."""

from pathlib import Path

from pyfastlm.ir.study.records import BM25_LINE, COSINES_LINE, FIRST_SENTENCE, Study
from pyfastlm.lm.files.pictures import picture

EXTRA = "ir"
MANUAL, CHOSEN, OTHER = "#c23b22", "#1f4e8c", "#888888"
LINES = {BM25_LINE: ":", COSINES_LINE: "--", FIRST_SENTENCE: "-."}


def gold_and_test(study: Study, path: Path) -> None:
    """A point for each prompt with its number in the table, bars over the seeds (standard deviation), and
    lines for what needs no prompt."""
    with picture(path, (6.4, 4.6), EXTRA) as figure:
        axes = figure.subplots()
        for number, name in enumerate(study.order, 1):
            rows = 100 * study.by_seed(name)
            gold, test = rows.mean(axis=0)
            bars = rows.std(axis=0, ddof=1) if len(rows) > 1 else (None, None)
            colour = MANUAL if name == study.manual else CHOSEN if name == study.best else OTHER
            axes.errorbar([gold], [test], bars[1], bars[0], "o", markersize=5, color=colour, elinewidth=0.8)
            axes.annotate(str(number), (gold, test), (5, 4), textcoords="offset points", fontsize=8)
        for name, style in LINES.items():
            level = 100 * float(study.test(name).mean())
            axes.axhline(level, color="#666666", linewidth=0.9, linestyle=style, label=name)
        for colour, label in ((MANUAL, "manual prompt"), (CHOSEN, "best by gold")):
            axes.plot([], [], "o", color=colour, label=label)
        axes.set_xlabel(f"NDCG@10 on {len(study.gold(study.manual))} gold queries, in %")
        axes.set_ylabel(f"NDCG@10 on {len(study.test(study.manual))} test queries, in %")
        axes.set_title(f"{study.task}: {study.correlation}", fontsize=9)
        figure.legend(loc="outside lower center", ncols=2, fontsize=7)
