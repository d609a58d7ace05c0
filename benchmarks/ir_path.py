"""PATH from end to end: what ten gold queries say of a prompt, against what the test queries say.

    OMP_NUM_THREADS=1 python benchmarks/ir_path.py wordnet|cranfield OUTPUT [WORDNET DIRECTORY]

SmolLM2-135M writes, all-MiniLM-L6-v2 is trained, three seeds. A manual prompt and others of the grammar, and
the controls of ``pyfastlm.ir.study``. Sizes are for half an hour on two free cores; OUTPUT keeps everything,
so a killed run goes on. Writes benchmarks/results/ir_path_<task>.json and .png.
"""

import shutil
import sys
from pathlib import Path

from pyfastlm.cli.ir_study import announce, told
from pyfastlm.ir import Collection, Grammar, Prompt, QueryGenerator, RerankerOptions, SearchOptions
from pyfastlm.ir.data import read_cranfield, wordnet_glosses
from pyfastlm.ir.report import write_report
from pyfastlm.ir.study import run_study

HOME = Path(__file__).parents[1]
RESULTS = HOME / "benchmarks" / "results"
CRANFIELD = HOME.parent / "shared" / "data" / "ir"
SEEDS = (0, 1, 2)
MANUAL = {
    "wordnet": Prompt("Write the word that this definition explains.", "Word:"),
    "cranfield": Prompt("Write a question on aerodynamics that this abstract answers.", "Question:"),
}
PROMPTS = {"wordnet": 5, "cranfield": 4}  # beside the manual one
SEARCH = {
    "wordnet": SearchOptions(documents=40, rungs=2, seeds=SEEDS),
    "cranfield": SearchOptions(documents=20, rungs=2, seeds=SEEDS, negatives=2, depth=15),
}
TRAINING = {"wordnet": RerankerOptions(max_length=48), "cranfield": RerankerOptions(max_length=64)}
TEST_QUERIES = {"wordnet": 30, "cranfield": 24}


def data(name: str) -> tuple[Collection, Collection]:
    """Gold and test."""
    whole = wordnet_glosses(*sys.argv[3:4]) if name == "wordnet" else read_cranfield(CRANFIELD)
    gold, test = whole.split(10)
    return gold, test.some(TEST_QUERIES[name])


def main() -> None:
    name, output = sys.argv[1], Path(sys.argv[2])
    gold, test = data(name)
    output.mkdir(exist_ok=True)
    found = run_study(
        QueryGenerator("smollm2", MANUAL[name], cache=output / "written.sqlite", max_tokens=24),
        gold,
        test,
        prompts=Grammar().draw(PROMPTS[name]),
        directory=output,
        options=SEARCH[name],
        training=TRAINING[name],
        depth=SEARCH[name].depth,
        announce=announce,
        progress=True,
    )
    told(found, write_report(found, output))
    shutil.copy(output / "study.json", RESULTS / f"ir_path_{name}.json")
    shutil.copy(output / "prompts.png", RESULTS / f"ir_path_{name}.png")


if __name__ == "__main__":
    main()
