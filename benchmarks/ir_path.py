"""PATH from end to end: prompts searched by ten gold queries, then all of them measured on gold and on test.

    python benchmarks/ir_path.py wordnet [DIRECTORY] | clinical-trial | cranfield

SmolLM2-135M writes, all-MiniLM-L6-v2 is trained. A manual prompt and PROMPTS of the grammar; two rungs; two
seeds. After the search each prompt, and the first sentence of each document without a model, is trained with
again on as many documents, and measured on the test queries, which the search has not seen. Beside them BM25,
and MiniLM's cosines as they are. What is written and trained is kept in pyfastlm-ir of the temporary
directory, so a killed run goes on. Writes benchmarks/results/ir_path_<task>.json.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from pyfastlm.cli import show
from pyfastlm.ir import (
    Collection,
    Grammar,
    HeldOut,
    Prompt,
    QueryGenerator,
    RerankerOptions,
    SearchOptions,
    evaluate,
    load_birco,
    optimize_prompt,
)
from pyfastlm.ir.data import read_cranfield, wordnet_glosses
from pyfastlm.ir.meaning import encoder_run
from pyfastlm.ir.path import Objective, study
from pyfastlm.lm.sentence_encoder import MINILM, SentenceEncoder

HOME = Path(__file__).parents[1]
RESULTS = HOME / "benchmarks" / "results"
CACHE = Path(tempfile.gettempdir()) / "pyfastlm-ir"
DATA = HOME.parent / "shared" / "data" / "ir"
PROMPTS = 7
MANUAL = {
    "wordnet": Prompt("Write the word that this definition explains.", "Word:"),
    "clinical-trial": Prompt("Describe a patient who could take part in this clinical trial.", "Patient:"),
    "cranfield": Prompt("Write a question on aerodynamics that this abstract answers.", "Question:"),
}


def data(name: str, directory: str) -> tuple[Collection, Collection]:
    """Gold and test."""
    if name == "wordnet":
        return wordnet_glosses(directory).split(10)
    if name == "cranfield":
        return read_cranfield(DATA).split(10)
    dev, test = (load_birco(DATA / f"clinical-trial.{part}_set.json.gz") for part in ("dev", "test"))
    return dev, test


def main() -> None:
    name = sys.argv[1]
    gold, test = data(name, sys.argv[2] if len(sys.argv) > 2 else "/usr/share/wordnet")
    long = name != "wordnet"
    depth = 100 if name == "cranfield" else None
    options = SearchOptions(documents=48, rungs=2, depth=depth)
    training = RerankerOptions(learning_rate=2e-4, epochs=4, batch_size=4, max_length=192 if long else 48)
    held = HeldOut.of(gold, test)
    prompts = Grammar().draw(PROMPTS)
    CACHE.mkdir(parents=True, exist_ok=True)
    tokens = 48 if long else 16
    writer = QueryGenerator("smollm2", MANUAL[name], cache=CACHE / "written.sqlite", max_tokens=tokens)
    started = time.perf_counter()
    search = optimize_prompt(
        writer, gold, test.corpus, prompts=prompts, options=options, training=training, held_out=held,
        log=CACHE / f"{name}.trials.jsonl", progress=True,
    )  # fmt: skip
    searched = time.perf_counter() - started
    objective = Objective(
        writer, gold, test.corpus, held_out=held, training=training, base=MINILM,
        negatives=options.negatives, depth=depth, seed=0,
    )  # fmt: skip
    found = study(
        objective, test, [MANUAL[name], *prompts], documents=options.final, depth=depth,
        log=CACHE / f"{name}.study.jsonl", progress=True,
    )  # fmt: skip
    encoder = SentenceEncoder(extra="ir")
    cosines = [evaluate(task.qrel, encoder_run(task, encoder)) for task in (gold, test)]
    rows: list[dict[str, Any]] = [
        {"name": "MiniLM, cosines", "gold": cosines[0].ndcg_at_10, "test": list(cosines[1].summary())}
    ]
    for key, each in found.measured.items():
        rows.append(
            {
                "name": key,
                "gold": float(found.gold(key).mean()),
                "test": list(found.interval(key)),
                "by_seed": [[sum(values) / len(values) for values in (row.gold, row.test)] for row in each],
                "examples": each[0].examples,
                "copied": each[0].copied,
                "overlap": each[0].overlap,
            }
        )
    correlation = found.correlation
    result = {
        "task": name, "gold_queries": len(gold.query), "test_queries": len(test.query),
        "documents": options.final, "search_seconds": searched,
        "manual": f"{search.manual.instruction} {search.manual.cue}",
        "best": f"{search.best.instruction} {search.best.cue}",
        "rungs": [[rung.documents, list(rung.scores), list(rung.spreads)] for rung in search.rungs],
        "rho": correlation.rho, "p": correlation.p, "rows": rows,
    }  # fmt: skip
    (RESULTS / f"ir_path_{name}.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    cells = [
        [
            row["name"],
            f"{100 * row['gold']:.1f}",
            "{:.1f} [{:.1f}, {:.1f}]".format(*(100 * value for value in row["test"])),
            str(row.get("examples", "")),
            f"{row.get('overlap', 0):.2f}",
        ]
        for row in rows
    ]
    show.table(f"NDCG@10 on {name}", ["", "gold", "test", "examples", "overlap"], cells)
    print(f"best by gold: {result['best']}")
    print(f"Spearman of gold and test: {correlation.rho:.2f}, p {correlation.p:.3f}")


if __name__ == "__main__":
    main()
