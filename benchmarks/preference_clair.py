"""CLAIR on real texts: what each reviser yields, and how its pairs differ from those of other builders.

    pip download --no-deps -d older networkx==2.5 sympy==1.6.2 nltk==3.6.2 Jinja2==2.11.3 hypothesis==5.49.0
    OMP_NUM_THREADS=1 python benchmarks/preference_clair.py older [--home DIRECTORY] [--rows 40]

Revisers: the packages' maintainers (what became of a docstring in a later release), codespell's list of
misspellings, SmolLM2-135M-Instruct with the prompt of CLAIR and as a proofreader, and the 20 published
revisions by GPT-4 where shared/data has them. Beside them, on the same prompts: the answer of
SmolLM2 itself preferred (stronger preferred; it is not stronger than people), and a judge over two answers of
it. Killed and called again, it goes on. Writes benchmarks/results/preference_clair.json.
"""

import argparse
import json
import random
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from preference_rows import Revised, common, installed

from pyfastlm.cli import show
from pyfastlm.lm import LM, load
from pyfastlm.preference.asking import Completion, HFReviser
from pyfastlm.preference.builders import Built, ChoiceJudge, Row, on_policy_pairs, stronger_preferred
from pyfastlm.preference.contrast import contrast_report, tables
from pyfastlm.preference.pairs import PreferencePair
from pyfastlm.preference.revising import Proofreader, RevisionPrompt, clair
from pyfastlm.preference.revising.prompt import written

RESULTS = Path(__file__).parent / "results" / "preference_clair.json"
PUBLISHED = Path(__file__).parents[2] / "shared" / "data" / "preference" / "clair_gpt4_20.jsonl"
PACKAGES = ("selenium", "fontTools", "torch", "transformers", "sympy", "scipy", "pandas", "matplotlib",
            "nltk", "sklearn", "datasets", "numba", "networkx")  # fmt: skip
# A word of prose: not a part of a name, a path or code.
WORD = re.compile(r"(?<![\w`./\\'\"-])[A-Za-z][a-z]{3,}(?![\w`/\\'\"=(-])")
REPLICATES = 2000


def by_rule(edit: Callable[[RevisionPrompt], str], name: str) -> Any:
    """A reviser that is no language model."""

    def revise(prompts: list[str]) -> list[str]:
        return [written(edit(prompt)) for prompt in prompts if isinstance(prompt, RevisionPrompt)]

    revise.identity = name
    revise.batch_size = 512
    return revise


def codespell() -> Callable[[RevisionPrompt], str]:
    """Replaces the misspellings for which codespell has one correction."""
    import codespell_lib

    lines = (Path(codespell_lib.__file__).parent / "data" / "dictionary.txt").read_text("utf-8").splitlines()
    known = dict(line.split("->") for line in lines if "," not in line)

    def one(match: re.Match[str]) -> str:
        right = known.get(match[0].lower(), match[0])
        return right if match[0].islower() else right[0].upper() + right[1:]

    return lambda prompt: WORD.sub(one, prompt.solution)


def maintainers(rows: Sequence[Revised]) -> Callable[[RevisionPrompt], str]:
    later = {(each.older.prompt, each.older.text): each.newer for each in rows}
    return lambda prompt: later[prompt.task, prompt.solution]


def published() -> tuple[list[Row], Any] | None:
    """The 20 rows with what GPT-4 wrote."""
    if not PUBLISHED.exists():
        return None
    rows = [json.loads(line) for line in PUBLISHED.read_text("utf-8").splitlines()]
    said = {row["rejected"]: row["raw_completion"] for row in rows}

    def revise(prompts: list[str]) -> list[Completion]:
        return [Completion(said[prompt.solution]) for prompt in prompts if isinstance(prompt, RevisionPrompt)]

    return [Row(row["prompt"], row["rejected"]) for row in rows], revise


def difference(one: list[PreferencePair], other: list[PreferencePair], measure: str) -> dict[str, Any]:
    """Mean of ``measure`` of ``one`` less that of ``other`` on the prompts of both, with a 95 % interval."""
    shared = sorted({pair.prompt for pair in one} & {pair.prompt for pair in other})
    by_prompt = [{pair.prompt: pair for pair in pairs} for pairs in (one, other)]
    values = [contrast_report([pairs[each] for each in shared]).values(measure) for pairs in by_prompt]
    gain, rng = values[0] - values[1], np.random.default_rng(0)
    means = [gain[rng.integers(len(gain), size=len(gain))].mean() for _ in range(REPLICATES)]
    return {"measure": measure, "prompts": len(shared), "difference": gain.mean(),
            "interval": np.quantile(means, [0.025, 0.975]).tolist()}  # fmt: skip


def by_models(lm: LM, rows: list[Row], home: Path) -> dict[str, Built]:
    """Everything that SmolLM2 writes on ``rows``."""
    cache = home / "smollm2.jsonl"
    own = HFReviser(lm, max_new_tokens=64)
    return {
        "CLAIR, SmolLM2": clair(HFReviser(lm, max_new_tokens=192), rows, cache, progress=True),
        "CLAIR, SmolLM2 as proofreader": clair(
            Proofreader(HFReviser(lm, max_new_tokens=128)), rows, cache, progress=True
        ),
        "stronger preferred, SmolLM2": stronger_preferred(own, rows, cache, progress=True),
        "on-policy judge, SmolLM2": on_policy_pairs(
            lm, [row.prompt for row in rows], ChoiceJudge(lm), cache, max_new_tokens=64, progress=True
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("older", type=Path, help="directory of wheels")
    parser.add_argument("--home", type=Path, default=Path("preference_clair"))
    parser.add_argument("--rows", type=int, default=40)
    given = parser.parse_args()
    given.home.mkdir(parents=True, exist_ok=True)
    revised = common(given.older)
    rows = [Row(each.older.prompt, each.older.text) for each in revised]
    texts = [Row(each.prompt, each.text) for package in PACKAGES for each in installed(package)]
    built: dict[str, Built] = {}
    seconds: dict[str, float] = {}
    ruled: dict[str, tuple[list[Row], Any]] = {
        "CLAIR, maintainers": (rows, by_rule(maintainers(revised), "maintainers")),
        "CLAIR, codespell": (list(dict.fromkeys(texts)), by_rule(codespell(), "codespell")),
    }
    if (gpt := published()) is not None:
        ruled["CLAIR, GPT-4 (published)"] = gpt
    for name, (asked, reviser) in ruled.items():
        started = time.process_time()
        built[name] = clair(reviser, asked)
        seconds[name] = time.process_time() - started
    changed = [Row(pair.prompt, pair.rejected) for pair in built["CLAIR, maintainers"].pairs]
    chosen = random.Random(0).sample(changed, given.rows)
    started = time.process_time()
    built |= by_models(load("smollm2"), chosen, given.home)
    seconds["SmolLM2"] = time.process_time() - started

    reports = {name: contrast_report(each.pairs) for name, each in built.items() if each.pairs}
    people, other = (built[name].pairs for name in ("CLAIR, maintainers", "stronger preferred, SmolLM2"))
    differences = [difference(people, other, measure) for measure in ("jaccard", "changed")]
    RESULTS.write_text(
        json.dumps(
            {
                "yields": {name: each.statistics.as_dict() for name, each in built.items()},
                "contrast": {name: report.as_dict() for name, report in reports.items()},
                "maintainers less stronger preferred": differences,
                "position_bias": built["on-policy judge, SmolLM2"].position_bias,
                "cpu_s": seconds,
            },
            indent=1,
        )
        + "\n"
    )
    for name, each in built.items():
        show.table(
            f"{name}: {len(each.outcomes):,} rows", ["outcome", "rows", "share"], each.statistics.cells()
        )
    for table in tables(reports):
        show.table(table.title, table.columns, table.rows)
    for found in differences:
        low, high = found["interval"]
        gain = f"{found['difference']:+.3f} [{low:+.3f}, {high:+.3f}]"
        print(f"{found['measure']}: {gain} on {found['prompts']} prompts")


if __name__ == "__main__":
    main()
