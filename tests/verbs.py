"""Every verb of the command line once, on files so small that it takes seconds at most.

A command line is run inside a folder of :func:`prepare`; what it writes goes into ``out/``.
"""

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from tiny import SENTENCES

ONION = "--symbols 5 --min-len 1 --max-len 4 --train 400 --valid 60"
ICL = "--hmms 2 --layers 1 --width 16 --heads 2 --batch-size 2 --length 12"
TRAIN = "--batch-size 2 --input-length 32 --mean-span 3"
QUICK = "--replicates 10"
FEW = "--permutations 10"
FIND = "--prefix 12 --horizon 4"
PREFER = "--batch-size 2 --lora-rank 2 --held-out 0.4"
FILTER = "-l labels.json --kind hashed --buckets 1024 --valid 0.2"

WORDS = (
    "black",
    "blue",
    "bright",
    "cheap",
    "clean",
    "folding",
    "garden",
    "green",
    "kitchen",
    "large",
    "leather",
    "little",
    "modern",
    "narrow",
    "plastic",
    "purple",
    "round",
    "silver",
    "small",
    "steel",
    "strong",
    "travel",
    "white",
    "wooden",
)
NOUNS = (
    "blanket",
    "bottle",
    "bucket",
    "candle",
    "chair",
    "curtain",
    "drawer",
    "hammer",
    "kettle",
    "ladder",
    "lantern",
    "mirror",
    "pillow",
    "shelf",
    "table",
    "wallet",
)

# What files are made by the commands themselves, in this order.
MADE = (
    "spell build names.tsv names.index",
    "spell train names.tsv odds.json",
    "qac build counts.tsv -o terms.index",
    "memorize index texts.jsonl -o corpus.index",
    "icl ginc --shots 4 --prompts 4 --hmms 2 -o curves.csv",
    f"onion train -o copier --size 6 --steps 10 {ONION}",
    f"onion grid -o runs --size 6 --seed 0 --steps 10 --fit-steps 4 --workers 1 {ONION}",
    f"mrt5 train en.txt -o mrt5 --size tiny --steps 1 {TRAIN}",
    f"prefer train pairs.jsonl -o preferred -m lm --steps 1 {PREFER}",
    "ir eval task.json -o ranking",
    f"select filter train pages.jsonl -o filter.json {FILTER}",
)

# Verb: its arguments. What it reads are the words that name a prepared file.
VERBS = {
    "score": "texts.jsonl -o out/scores.parquet -m lm --threads 1",
    "estimate": "texts.jsonl -m lm --documents 10 --sample 4",
    "icl curve": "examples.jsonl --model lm --shots 2 --permutations 2 -o out/curves.csv",
    "icl fit": "curves.csv --law power --picture out/curve.svg",
    "icl ginc": "--shots 4 --prompts 4 --hmms 2 -o out/curves.csv",
    "icl report": "curves.csv --law power -o out/report",
    "icl train": f"-o out/run --steps 2 {ICL}",
    "ir eval": "task.json -o out/run",
    "ir generate": "task.json -o out/queries.jsonl --lm lm --documents 2 --max-tokens 4 --copy-limit 1",
    "ir train": "task.json queries.jsonl -o out/reranker --base encoder --max-length 24 --epochs 1",
    "memorize count": "corpus.index clock",
    "memorize index": "texts.jsonl -o out/corpus.index",
    "memorize inject": "sequences.json -d other.txt -m lm -o out/run --window 20 --prefixes 4,8 --lr 1e-3 "
    "--batch-size 2 --horizon 8 --steps 2 --repetitions 1",
    "memorize measure": "sequences.json -m lm -o out/lengths.parquet --prefix-lengths 4,8 --horizon 8",
    "memorize stress": f"sequences.json -m lm --shifts 1 --substitutes 1 {FIND}",
    "memorize trace": f"sequences.json -m lm --draws 1 --picture out/trace.svg {FIND}",
    "memorize unlearn": f"sequences.json -m lm --out out/forgot --steps 1 --shifts 1 --substitutes 1 {FIND}",
    "mrt5 eval": "mrt5 en.txt --input-length 32 --mean-span 3",
    "mrt5 generate": "mrt5 clock --max-new-bytes 4",
    "mrt5 show": "mrt5 en.txt -o out/page.html",
    "mrt5 train": f"en.txt -o out/run --size tiny --steps 2 {TRAIN}",
    "onion grid": f"-o out/runs --size 6 --seed 0 --steps 10 --fit-steps 4 --workers 1 {ONION}",
    "onion intervene": "copier --steps 4 --train 400 --valid 60 -o out/edit.pt",
    "onion probe": "copier --steps 4 --train 400 --valid 60 --probe linear",
    "onion report": "runs -o out/report",
    "onion train": f"-o out/copier --size 6 --steps 10 {ONION}",
    "prefer clair": "rows.jsonl -o out/pairs.jsonl --reviser lm --limit 2 --max-tokens 3",
    "prefer contrast": "pairs.jsonl --page out/contrast.md",
    "prefer report": "preferred -o out/report",
    "prefer suggest": "pairs.jsonl -m lm --max-tokens 3",
    "prefer train": f"pairs.jsonl -o out/run -m lm --steps 1 {PREFER}",
    "qac build": "counts.tsv -o out/terms.index",
    "qac complete": "terms.index clo",
    "qac count": "log.parquet -o out/counts.parquet --threads 1",
    "qac eval": "test.parquet -i terms.index --save out/answers",
    "qac sessions": "counts.tsv -o out/sessions --sessions 20",
    "select bpb": "pages.jsonl -m models.txt -o out/bpb.parquet --threads 1",
    "select correlate": f"bpb.parquet errors.csv -o out/correlations.parquet {QUICK} {FEW}",
    "select filter apply": "filter.json pages.jsonl -o out/taken.jsonl --budget 100",
    "select filter train": f"pages.jsonl -o out/filter.json {FILTER}",
    "select project": f"bpb.parquet errors.csv -o out/selection.parquet --keep 0.2 {QUICK}",
    "select report": f"bpb.parquet errors.csv -o out/report.html --keep 0.2 --draws 2 {QUICK} {FEW}",
    "select sample": "pages.jsonl -o out/sample.jsonl --pages 3 --chunk 32",
    "spell build": "names.tsv out/names.index",
    "spell eval": "names.index pairs.tsv",
    "spell fix": "names.index wirless",
    "spell train": "names.tsv out/odds.json",
}


# The quickest of each kind.
SHORT = {
    "icl ginc",
    "ir eval",
    "memorize index",
    "onion train",
    "prefer contrast",
    "qac build",
    "select sample",
    "spell build",
}


def command(verb: str) -> list[str]:
    """The arguments of ``pyfastlm``."""
    return [*verb.split(), *VERBS[verb].split()]


def output(verb: str) -> str:
    """What the command writes, as named inside ``out/``."""
    return next(word for word in command(verb) if word.startswith("out/")).removeprefix("out/")


def writing(quick: Iterable[str]) -> list[Any]:
    """The verbs that write something, for ``parametrize``: all but the ``quick`` are slow."""
    return [
        pytest.param(verb, marks=() if verb in quick else pytest.mark.slow)
        for verb, given in VERBS.items()
        if "out/" in given
    ]


def files(folder: Path) -> None:
    """Write the files that people bring into ``folder``, and the directory ``out``."""
    import planted
    import webpages
    from preferences import PAIRS, small_lm
    from retrieval import DOCUMENTS, save_tiny_encoder
    from searches import sample_rows

    from pyfastlm.qac import one_prefix, write_amazonqac
    from pyfastlm.selection import write_errors

    def lines(name: str, rows: list[dict[str, object]]) -> None:
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")

    lm = small_lm(max_position_embeddings=512)
    lm.model.save_pretrained(folder / "lm")
    lm.tokenizer.save_pretrained(folder / "lm")
    save_tiny_encoder(folder / "encoder")
    lines("texts.jsonl", [{"text": text} for text in SENTENCES])
    for name in ("texts.txt", "en.txt"):
        (folder / name).write_text("\n".join(" ".join(text.split()) for text in SENTENCES), "utf-8")
    (folder / "other.txt").write_text("\n".join(SENTENCES[2:7]), "utf-8")
    lines("examples.jsonl", [{"input": str(n), "output": str(n % 2)} for n in range(9)])
    (folder / "sequences.json").write_text(json.dumps({"a": dict(enumerate(SENTENCES[:2]))}), "utf-8")
    lines("pairs.jsonl", [{"prompt": p.prompt, "chosen": p.chosen, "rejected": p.rejected} for p in PAIRS])
    lines("rows.jsonl", [{"prompt": p.prompt, "response": p.rejected} for p in PAIRS])
    corpus = {
        f"{name}-{tint}": f"{text}, a {tint} {name}"
        for name, text in DOCUMENTS.items()
        for tint in ("red", "old")
    }
    task = {"query": {"q": "red"}, "corpus": corpus, "qrel": {"q": {"sail-red": 1, "sail-old": 0}}}
    (folder / "task.json").write_text(json.dumps(task), "utf-8")
    lines("queries.jsonl", [{"document": name, "text": name.replace("-", " ")} for name in corpus])
    names = "Wireless Headphones\t50\ncafé maker\t30\nheadset\t9\nnotebook\t4\niphone 13\t8\n"
    more = "".join(f"{word} {noun}\t{n}\n" for n, word in enumerate(WORDS) for noun in NOUNS)
    (folder / "names.tsv").write_text(names + more, "utf-8")
    (folder / "pairs.tsv").write_text("wirless headphones\tWireless Headphones\tkb\n", "utf-8")
    (folder / "counts.tsv").write_text(
        "".join(f"{n}\t{t.split()[0]} {n}\n" for n, t in enumerate(SENTENCES, 1)) + "3\tclock\n", "utf-8"
    )
    write_amazonqac(sample_rows(20, seed=0), folder / "log.parquet")
    write_amazonqac(one_prefix(sample_rows(20, seed=1), seed=0), folder / "test.parquet")
    webpages.write(folder / "pages.jsonl", webpages.rows(20))
    (folder / "labels.json").write_text(json.dumps(webpages.LABELS))
    (folder / "models.txt").write_text("lm\n")
    x, y, _ = planted.plant(1, models=16, domains=20)
    planted.matrix_of(x, families=[row // 2 for row in range(16)]).save(folder / "bpb.parquet")
    write_errors(planted.errors_of(y), folder / "errors.csv")
    (folder / "out").mkdir()


def made(folder: Path) -> None:
    """The same, and what other commands have made of them."""
    from pyfastlm.cli.app import run

    files(folder)
    with contextlib.chdir(folder):
        for line in MADE:
            assert run(line.split()) == 0, line
