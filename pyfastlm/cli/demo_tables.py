"""What the demo found, printed for people."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyfastlm.demo import Demo
    from pyfastlm.demo.icl import Learning
    from pyfastlm.demo.ir import Reranking
    from pyfastlm.demo.memorization import Memory
    from pyfastlm.demo.mrt5 import Deletion
    from pyfastlm.demo.onion import Peeling
    from pyfastlm.demo.preference import Preferences
    from pyfastlm.demo.qac import Completion
    from pyfastlm.demo.scoring import Row
    from pyfastlm.demo.selection import Choice
    from pyfastlm.demo.spelling import Correctors
    from pyfastlm.demo.together import Together


def whole(demo: "Demo") -> None:
    """All sections, what was left out, and how long scoring took."""
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
        learning_table(demo.learning)
    if demo.completion is not None:
        completion_table(demo.completion)
    if demo.correctors is not None:
        correctors_table(demo.correctors)
    if demo.choice is not None:
        choice_table(demo.choice)
    if demo.deletion is not None:
        deletion_table(demo.deletion)
    if demo.memory is not None:
        memory_table(demo.memory)
    if demo.peeling is not None:
        peeling_table(demo.peeling)
    if demo.preferences is not None:
        preferences_table(demo.preferences)
    if demo.together is not None:
        together_table(demo.together)
    if demo.reranking is not None:
        reranking_table(demo.reranking)
    for reason in demo.missing:
        print(f"left out: {reason}")
    print(f"{about.seconds:,.1f} s, {about.tokens_per_second:,.0f} tokens/s on {about.threads} threads")
    print(f"page: {demo.page}")


def learning_table(learning: "Learning") -> None:
    """The section on learning from examples in the context."""
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


def completion_table(completion: "Completion") -> None:
    """The section on completing searches."""
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


def correctors_table(found: "Correctors") -> None:
    """The section on correcting names."""
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


def choice_table(choice: "Choice") -> None:
    """The section on what to train on."""
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


def deletion_table(deletion: "Deletion") -> None:
    """The section on deleting bytes."""
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


def memory_table(memory: "Memory") -> None:
    """The section on memorisation."""
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


def peeling_table(peeling: "Peeling") -> None:
    """The section on what a small network stores."""
    from pyfastlm.cli import show
    from pyfastlm.onion.report import tables

    own = tables.own(peeling.cells)
    show.table(own.title, own.columns, own.rows)
    print(peeling.verdict)


def preferences_table(found: "Preferences") -> None:
    """The section on pairs of right and wrong."""
    from pyfastlm.cli import show
    from pyfastlm.demo import preference_tables as tables

    for table in (tables.outcomes(found), tables.contrast(found), tables.held_out(found)):
        show.table(table.title, table.columns, table.rows)
    print(f"{found.verdict} {found.seconds:,.0f} s")


def together_table(found: "Together") -> None:
    """The section on prompts and weights."""
    from pyfastlm.cli import show
    from pyfastlm.together.report import tables

    table = tables.accuracies(found.grid)
    show.table(table.title, table.columns, table.rows)
    print(" ".join([found.verdict, *tables.doubts(found.grid), f"{found.seconds:,.0f} s"]))


def reranking_table(found: "Reranking") -> None:
    """The section on rerankers from ten labels."""
    from pyfastlm.cli import show

    table = found.overview
    show.table(table.title, table.columns, table.rows)
    print(table.note)
    for number, name in enumerate(found.study.order, 1):
        print(f"prompt {number}: {name}")
    print(found.verdict)
