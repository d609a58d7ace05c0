"""What the Python examples of README and docs/ find when the tests run them: files, names, and less work.

An example runs as it is printed but for ``SMALLER``: random weights in place of a real model, fewer steps.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tiny import SENTENCES

# What takes minutes with any model. Such blocks are only compared with what they call; the tests of together
# take the same steps with less in them.
LONG = ("run_strategies(", "BetterTogether(")
SLOW = {"ir.md", "scaling.md", "selection-pages.md"}

Names = dict[str, Any]
TEXT = " ".join(SENTENCES)

SEARCH = ('log="trials.jsonl"', 'log="trials.jsonl", base="encoder", options=few, training=short')
SMALLER: dict[str, tuple[tuple[str, str], ...]] = {
    "README.md": (
        ("1024, 576", "64, 32"),
        ("49152, 576", "500, 32"),
        ("0, 49152, (1024,)", "0, 500, (64,)"),
    ),
    "icl.md": (
        ("000003000", "000000001"),
        ("steps=1,", "batch_size=2, steps=1,"),
        ("(0, 64, 256)", "(0, 4)"),
        ("shots=64)", "shots=3)"),
    ),
    "ir.md": (SEARCH,),
    "memorization.md": (
        ('load("base")', "load(tiny)"),
        ("window=256", "window=16"),
        ("500", "5"),
        ("2000", "4"),
        ("batch_size=32", "batch_size=8"),
        ("* 32", "* 8"),
        ('"storm": 40', '"storm": 4'),
        ("(5, 1000)", "(2,)"),
        ("(0, 10, 20)", "(0, 1)"),
    ),
    "mrt5.md": (
        ('"google/byt5-small"', '"byt5"'),
        ("input_length=1024", "input_length=48"),
        ("steps=5000, batch_size=16, accumulate=64", "steps=2, batch_size=2, accumulate=1"),
    ),
    "onion.md": (
        ("RepeatTask()", "small_task()"),
        ('64, "small"', '8, "small", options=TrainingOptions(steps=20)'),
        ("steps=8000", "steps=20"),
    ),
    "preference.md": (
        ("steps=200", "steps=2"),
        ("rank=16", "rank=2"),
        ("[20:]", "[2:]"),
        ("[:20]", "[:2]"),
        ('DPOConfig("out"', 'DPOConfig("out", max_steps=2, use_cpu=True, bf16=False, report_to=[]'),
    ),
    "preference-pairs.md": (("http://127.0.0.1:8000/v1", "{endpoint}"),),
    "scoring.md": (
        ('engine="ray", ray=options', "resume=True"),
    ),  # tests/lm/test_score_files_ray.py has a cluster
    "selection-matrix.md": (("pages=25, chunk=512", "pages=3, chunk=32"),),
    "selection.md": (("replicates=200", "replicates=20"),),
    "selection-pages.md": (("1_000_000_000", "100"),),
    "training.md": (("per_device_train_batch_size=8", "per_device_train_batch_size=2"),),
}


def icl(tiny: str) -> Names:
    from pyfastlm.icl import GINC, TrainingOptions, train_ginc

    options = TrainingOptions(steps=1, batch_size=2)
    train_ginc(GINC.make(5), options=options, directory="small")
    return {}


def ir(tiny: str) -> Names:
    from retrieval import save_tiny_encoder, wordnet_files

    from pyfastlm.ir import RerankerOptions, SearchOptions

    Path("cranfield").mkdir()  # open_task looks at the files, not at the name
    for name, text in wordnet_files(600).items():
        Path("cranfield", name).write_text(text, "utf-8")
    save_tiny_encoder(Path("encoder"))
    return {
        "few": SearchOptions(documents=4, rungs=1, seeds=(0,), negatives=1),
        "short": RerankerOptions(epochs=1, max_length=24),
    }


def mrt5(tiny: str) -> Names:
    from tiny_mrt5 import tiny_data, tiny_mrt5

    tiny_mrt5().save_pretrained("byt5")
    for name in ("german", "french"):
        Path(f"{name}.txt").write_text("\n".join(SENTENCES * 3), "utf-8")
    return {"held_out": tiny_data()}


def memorization(tiny: str) -> Names:
    lines = [json.dumps({"text": f"{n} {TEXT}"}) for n in range(20)]
    Path("corpus.jsonl").write_text("\n".join(lines), "utf-8")
    return {"tiny": tiny}


def onion(tiny: str) -> Names:
    from copiers import small_task

    from pyfastlm.onion import TrainingOptions

    return {"small_task": small_task, "TrainingOptions": TrainingOptions}


def preference(tiny: str) -> Names:
    import datasets
    from preferences import PAIRS

    from pyfastlm.lm import load

    rows = [
        {"prompt": f"{n} {pair.prompt}", "chosen": pair.chosen, "rejected": pair.rejected}
        for n in range(3)
        for pair in PAIRS
    ]
    Path("pairs.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    lm = load(tiny)
    return {"model": lm.model, "tokenizer": lm.tokenizer, "rows": datasets.Dataset.from_list(rows)}


def qac(tiny: str) -> Names:
    from searches import sample_rows

    from pyfastlm.qac import one_prefix, write_amazonqac

    write_amazonqac(sample_rows(20, seed=0), "train.parquet")
    write_amazonqac(one_prefix(sample_rows(20, seed=1), seed=0), "test.parquet")
    return {}


def scoring(tiny: str) -> Names:
    Path("texts.txt").write_text("\n".join(SENTENCES[:5]) + "\n", "utf-8")
    return {"inputs": "texts.txt", "output": "scores.parquet"}


def selection(tiny: str) -> Names:
    from planted import errors_of, matrix_of, plant

    from pyfastlm.selection import write_errors

    x, y, _ = plant(0, models=20, domains=12)
    families = [f"f{n // 2}" for n in range(20)]
    matrix = matrix_of(x, [n // 2 for n in range(20)])
    matrix.save("bpb.parquet")
    write_errors(errors_of(y), "errors.csv")
    return {"X": x, "y": y, "families": families, "tokens": matrix.tokens}


def selection_matrix(tiny: str) -> Names:
    from samples import Stub, sample, write

    Path("corpus").mkdir()
    write(Path("corpus/a.jsonl.gz"), sample(30))
    return {"my_ngram": Stub("3-gram")}


def selection_pages(tiny: str) -> Names:
    from samples import sample, write

    for folder, suffix in (("sample", "parquet"), ("corpus", "jsonl.zst")):
        Path(folder).mkdir()
        write(Path(folder) / f"a.{suffix}", sample(400, domains=10))
    return {"selection": {f"domain {n}": n < 5 for n in range(10)}}


def training(tiny: str) -> Names:
    return {"texts": SENTENCES}


def together_engine(tiny: str) -> Names:
    from pyfastlm.together import HFEngine

    return {"engine": HFEngine(tiny)}


def nothing(tiny: str) -> Names:
    return {}


PREPARE: dict[str, Callable[[str], Names]] = {
    "README.md": nothing,
    "icl.md": icl,
    "ir.md": ir,
    "kernels.md": nothing,
    "memorization.md": memorization,
    "mrt5.md": mrt5,
    "onion.md": onion,
    "preference.md": preference,
    "preference-pairs.md": nothing,
    "qac.md": qac,
    "scaling.md": nothing,
    "scoring.md": scoring,
    "selection.md": selection,
    "selection-matrix.md": selection_matrix,
    "selection-pages.md": selection_pages,
    "spelling.md": nothing,
    "term-index.md": nothing,
    "together-engine.md": together_engine,
    "training.md": training,
}
