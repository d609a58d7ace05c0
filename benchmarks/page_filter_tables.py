"""The tables of the page filter in docs/selection.md: fastText and the hashed filter on real English texts.

    OMP_NUM_THREADS=1 python benchmarks/page_filter_tables.py [megabytes to apply to]

Domains are the English texts of ../shared/data, cut into pages; included are those of questions and their
answers, excluded are scientific abstracts, descriptions of books, plays and keywords: all of one language,
both sides of several kinds of text. Some domains are held out whole, others by another seed. Seconds are of
the processor, one thread. Writes benchmarks/results/page_filter.json.
"""

import gzip
import json
import random
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import memory
import numpy as np

from pyfastlm.cli import show
from pyfastlm.selection import FastTextOptions, HashedOptions, PageFilter, apply_filter, train_filter

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
RESULTS = Path(__file__).parent / "results" / "page_filter.json"
SEEDS = range(3)
PIECE = 200  # characters of a short page
CORPORA = {"trials": "clinical-trial.test_set", "trials 2": "clinical-trial.dev_set", "books": "wtb.dev_set"}
INCLUDED = {"gsm8k questions", "gsm8k answers", "hotpot questions", "marco queries", "book questions"}
KINDS: dict[str, Any] = {
    "hashed": HashedOptions(),
    "fasttext, 2^18 buckets": FastTextOptions(buckets=1 << 18),
    "fasttext": FastTextOptions(),
    "fasttext, 2^18 buckets, 25 epochs": FastTextOptions(buckets=1 << 18, epochs=25, lr=0.5),
}


def pages() -> Iterator[tuple[str, str]]:
    """Domain and text."""
    play = (DATA / "text/tiny_shakespeare.txt").read_text("utf-8")
    yield from (("shakespeare", play[place : place + 1500]) for place in range(0, len(play), 1500))
    rows = [json.loads(line) for line in (DATA / "math/gsm8k.train.jsonl").read_text("utf-8").splitlines()]
    for name in ("question", "answer"):
        yield from grouped(f"gsm8k {name}s", [row[name] for row in rows], 6)
    abstracts = (DATA / "ir/cran.all.1400.xml").read_text("utf-8", "replace")
    yield from (("cranfield", text) for text in re.findall(r"<text>(.{100,}?)</text>", abstracts, re.DOTALL))
    for name, file in CORPORA.items():
        found = json.loads(gzip.decompress((DATA / f"ir/{file}.json.gz").read_bytes()))
        yield from ((name, str(text)) for text in found["corpus"].values())
        if name == "books":
            yield from (("book questions", str(text)) for text in found["query"].values())
    hotpot = json.loads((DATA / "qa/hotpot_dev.part_a.json").read_bytes())
    yield from grouped("hotpot questions", [row["question"] for row in hotpot], 10)
    marco = (DATA / "spelling/marco.queries.dev.small.tsv").read_text("utf-8").splitlines()
    yield from grouped("marco queries", [line.partition("\t")[2] for line in marco], 25)
    keywords = (DATA / "qac/trec_05.part_a.txt").read_text("utf-8", "replace").splitlines()
    yield from grouped("keywords", keywords, 30)


def grouped(domain: str, texts: Sequence[str], each: int) -> Iterator[tuple[str, str]]:
    yield from ((domain, "\n".join(texts[place : place + each])) for place in range(0, len(texts), each))


def write(path: Path, rows: list[tuple[str, str]]) -> Path:
    lines = (json.dumps({"id": n, "domain": domain, "text": text}) for n, (domain, text) in enumerate(rows))
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def trained(path: Path, kind: str, seed: int) -> tuple[PageFilter, float]:
    domains = {json.loads(line)["domain"] for line in path.read_text("utf-8").splitlines()}
    start = time.process_time()
    found = train_filter(
        path,
        labels={domain: domain in INCLUDED for domain in domains},
        kind="hashed" if kind == "hashed" else "fasttext",
        options=KINDS[kind],
        valid=0.1,
        valid_domains=0.2,
        seed=seed,
    )
    return found, time.process_time() - start


def compare(path: Path, texts: list[str]) -> dict[str, Any]:
    table = {}
    for kind in KINDS:
        rows, rates, seconds, domains = [], [], [], []
        for seed in SEEDS:
            found, took = trained(path, kind, seed)
            seconds.append(took)
            start = time.process_time()
            found.score(texts)
            rates.append(sum(len(text.encode()) for text in texts) / 1e6 / (time.process_time() - start))
            report = asdict(found.report)
            rows.append([report[side] for side in ("held_out_pages", "held_out_domains")])
            domains.append([of["domain"] for of in report["by_domain"]])
        table[kind] = {
            "seconds": min(seconds),
            "megabytes_per_second": max(rates),
            "held_out": domains,
            "pages": {name: [row[0][name] for row in rows] for name in FIGURES},
            "domains": {name: [row[1][name] for row in rows] for name in FIGURES},
        }
    return table


FIGURES = ("prevalence", "precision", "recall", "f1", "average_precision", "roc_auc", "brier")


def cells(kind: str, figures: dict[str, Any]) -> list[str]:
    def mean(side: str, name: str) -> str:
        values = figures[side][name]
        return f"{np.mean(values):.3f} ± {np.std(values, ddof=1) / len(values) ** 0.5:.3f}"

    return [
        kind,
        f"{figures['seconds']:.1f}",
        f"{figures['megabytes_per_second']:.0f}",
        mean("pages", "f1"),
        *(mean("domains", name) for name in ("precision", "recall", "f1", "average_precision")),
    ]


def generated(path: Path, rows: list[tuple[str, str]], megabytes: int) -> Path:
    """Pages whose sentences come from pages of one domain each."""
    rng = random.Random(0)
    by_domain: dict[str, list[str]] = {}
    for domain, text in rows:
        by_domain.setdefault(domain, []).extend(re.split(r"(?<=[.?!\n])\s+", text))
    names, size = sorted(by_domain), 0
    with path.open("w", encoding="utf-8") as file:
        while size < megabytes * 1_000_000:
            domain = rng.choice(names)
            text = " ".join(rng.choices(by_domain[domain], k=rng.randint(3, 60)))
            size += len(text.encode())
            file.write(json.dumps({"domain": domain, "text": text}) + "\n")
    return path


def applied(filter: str, corpus: str, output: str) -> dict[str, float]:
    """In a fresh process: seconds, and MiB at the most."""
    chosen = PageFilter.open(filter)
    chosen.score(["what is loaded on the first call"])
    loaded = memory.resident("VmRSS") / 1024
    start, clock = time.process_time(), time.perf_counter()
    report = apply_filter(chosen, corpus, output, keep=0.1)
    return {
        "seconds": time.process_time() - start,
        "wall": time.perf_counter() - clock,
        "megabytes": report.tokens / 1e6,
        "pages": report.pages,
        "missing": report.missing,
        "loaded": loaded,
        "peak": memory.resident("VmHWM") / 1024,
    }


def main() -> None:
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    rows = list(pages())
    short = [(domain, text[:PIECE]) for domain, text in rows]
    columns = ["filter", "train s", "score MB/s", "pages F1", "P", "R", "F1", "average precision"]
    results: dict[str, Any] = {"pages": len(rows), "megabytes": sum(len(text) for _, text in rows) / 1e6}
    with tempfile.TemporaryDirectory() as directory:
        room = Path(directory)
        texts = [text for _, text in rows[::7]]
        for name, those in (("pages", rows), (f"beginnings of {PIECE} characters", short)):
            table = compare(write(room / "rows.jsonl", those), texts)
            results[name] = table
            show.table(f"{len(those):,} {name}", columns, [cells(*item) for item in table.items()])
        corpus = generated(room / "corpus.jsonl", rows, megabytes)
        results["apply"] = {}
        for kind in KINDS:
            found, _ = trained(write(room / "rows.jsonl", rows), kind, 0)
            found.save(room / "f.json")
            del found
            files = (str(room / "f.json"), str(corpus), str(room / f"taken {kind}.jsonl.zst"))
            results["apply"][kind] = memory.in_fresh_process("page_filter_tables", "applied", *files)
        show.table(
            f"Apply to {megabytes} MB, a tenth taken",
            ["filter", "processor s", "MB/s", "MiB loaded", "MiB peak", "missing"],
            [
                [kind, *(f"{value:,.1f}" for value in (
                    of["seconds"], of["megabytes"] / of["seconds"], of["loaded"], of["peak"], of["missing"]))]
                for kind, of in results["apply"].items()
            ],
        )  # fmt: skip
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
