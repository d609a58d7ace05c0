"""The demo from beginning to end."""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pyfastlm.demo import texts, udhr
from pyfastlm.demo.texts import Collection, TextsMissing
from pyfastlm.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from pyfastlm.demo.about import About
    from pyfastlm.demo.icl import Learning
    from pyfastlm.demo.ir import Reranking
    from pyfastlm.demo.memorization import Memory
    from pyfastlm.demo.mrt5 import Deletion
    from pyfastlm.demo.onion import Peeling
    from pyfastlm.demo.preference import Preferences
    from pyfastlm.demo.qac import Completion
    from pyfastlm.demo.scoring import Scoring
    from pyfastlm.demo.selection import Choice
    from pyfastlm.demo.spelling import Correctors
    from pyfastlm.demo.together import Together
    from pyfastlm.lm import LM

PAGE = "index.html"
MARK = '<meta name="generator" content="pyfastlm demo">'  # a page that has it may be replaced


@dataclass(frozen=True, slots=True, eq=False)
class Demo:
    """What a run found. ``page`` is the HTML file, ``missing`` the reasons why something was left out;
    ``completion``, ``learning``, ``correctors``, ``choice``, ``deletion``, ``memory``, ``preferences``,
    ``together`` and ``reranking`` are None where what they need is missing."""

    page: Path
    scoring: "Scoring"
    completion: "Completion | None"
    correctors: "Correctors | None"
    choice: "Choice | None"
    deletion: "Deletion | None"
    missing: tuple[str, ...]
    about: "About"
    memory: "Memory | None" = None
    learning: "Learning | None" = None
    peeling: "Peeling | None" = None
    preferences: "Preferences | None" = None
    together: "Together | None" = None
    reranking: "Reranking | None" = None


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
    full: bool = False,
    progress: bool = False,
) -> Demo:
    """Score texts and controls, complete searches, learn from examples in the context, from pairs of answers
    and by prompts and weights in turn, train rerankers from ten labels, correct misspelt names, select what
    to train on, train a model that deletes bytes, models that memorise and one that repeats sequences; write
    ``output/index.html``.

    Args:
        output: directory for the page; made where it does not exist.
        model: anything :func:`pyfastlm.lm.load` takes.
        seed: of the choice of documents, of the controls and of the intervals, and the first of training.
        quick: fewer documents, searches and small models, and a few steps of training.
        full: longer training with three seeds, on more text, and of the baselines that pool; more searches,
            and more ways to complete them; more names; more small models to select by; the whole grid of
            repetitions; more prompts to choose from.
        progress: say on standard error what is going on.

    Raises:
        InputError: the page cannot be written there, there is no such model, or both ``quick`` and ``full``.
        MissingExtra: the model needs a package that is not installed.
    """
    if quick and full:
        raise InputError("quick: expected one of quick and full, got both")
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
    completion = _completion(scorer.lm, seed, missing, quick=quick, full=full, progress=progress)
    learning = _learning(
        scorer.lm, seed, smollm2.cache_dir() / "demo", missing, quick=quick, full=full, progress=progress
    )
    preferences = _preferences(scorer.lm, seed, missing, quick=quick, full=full, progress=progress)
    together = _together(scorer.lm, seed, missing, quick=quick, full=full, progress=progress)
    reranking = _reranking(
        scorer.lm, seed, smollm2.cache_dir() / "demo", missing, quick=quick, full=full, progress=progress
    )
    del scorer
    correctors = _correctors(seed, missing, quick=quick, full=full, progress=progress)
    choice = _choice(seed, smollm2.cache_dir() / "demo", missing, quick=quick, full=full, progress=progress)
    deletion = _deletion(
        seed, smollm2.cache_dir() / "demo", missing, quick=quick, full=full, progress=progress
    )
    memory = _memory(seed, smollm2.cache_dir() / "demo", missing, quick=quick, full=full, progress=progress)
    peeling = _peeling(seed, quick=quick, full=full, progress=progress)
    demo = Demo(
        directory / PAGE, scoring, completion, correctors, choice, deletion, tuple(missing), facts, memory,
        learning, peeling, preferences, together, reranking,
    )  # fmt: skip
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


def _completion(
    lm: "LM", seed: int, missing: list[str], *, quick: bool, full: bool, progress: bool
) -> "Completion | None":
    from pyfastlm.demo import ngrams, qac

    try:
        counts = ngrams.counts()
    except TextsMissing as reason:
        missing.append(f"completion of searches: {ngrams.MODULE}: {reason}")
        return None
    say = _say if progress else _silent
    say(f"completing searches among {len(counts):,} terms")
    size = qac.QUICK if quick else qac.FULL if full else qac.SHORT
    return qac.complete(counts, lm, size=size, seed=seed, progress=progress)


def _learning(
    lm: "LM", seed: int, cache: Path, missing: list[str], *, quick: bool, full: bool, progress: bool
) -> "Learning | None":
    from pyfastlm.demo import icl, wordnet

    try:
        task = wordnet.words(cache / "domains")
        say = _say if progress else _silent
        say(f"learning what {len(task.examples)} words name from examples in the context")
        size = icl.QUICK if quick else icl.FULL if full else icl.SHORT
        return icl.learn(lm, task, size=size, seed=seed, progress=progress)
    except (TextsMissing, MissingExtra) as reason:
        missing.append(f"learning in context: {reason}")
        return None


def _preferences(
    lm: "LM", seed: int, missing: list[str], *, quick: bool, full: bool, progress: bool
) -> "Preferences | None":
    from pyfastlm.demo import preference

    size = preference.QUICK if quick else preference.FULL if full else preference.SHORT
    (_say if progress else _silent)("learning from pairs of right and wrong sentences")
    try:
        return preference.prefer(lm, size=size, seed=seed, progress=progress)
    except (TextsMissing, InputError, MissingExtra) as reason:
        missing.append(f"learning from preferences: {reason}")
        return None


def _together(
    lm: "LM", seed: int, missing: list[str], *, quick: bool, full: bool, progress: bool
) -> "Together | None":
    from pyfastlm.demo import together

    size = together.QUICK if quick else together.FULL if full else together.SHORT
    (_say if progress else _silent)("optimising a prompt and weights, alone and in turn")
    try:
        return together.optimise(lm, size=size, seed=seed, progress=progress)
    except (InputError, MissingExtra) as reason:
        missing.append(f"prompts and weights: {reason}")
        return None


def _reranking(
    lm: "LM", seed: int, cache: Path, missing: list[str], *, quick: bool, full: bool, progress: bool
) -> "Reranking | None":
    from pyfastlm.demo import definitions, ir

    size = ir.QUICK if quick else ir.FULL if full else ir.SHORT
    try:
        task = definitions.nouns(cache / "domains")
        (_say if progress else _silent)("training rerankers of definitions on queries of several prompts")
        bars = progress and full  # else thirty, each of a few seconds
        return ir.rerank(lm, task, size=size, seed=seed, progress=bars)
    except (TextsMissing, InputError, MissingExtra) as reason:
        missing.append(f"rerankers from ten labels: {reason}")
        return None


def _correctors(
    seed: int, missing: list[str], *, quick: bool, full: bool, progress: bool
) -> "Correctors | None":
    from pyfastlm.demo import debian, spelling, symspell

    source = symspell.MODULE
    try:
        words = symspell.english()
        source = "apt-cache pkgnames"
        names = debian.package_names()
    except TextsMissing as reason:
        missing.append(f"correction of names: {source}: {reason}")
        return None
    say = _say if progress else _silent
    say(f"correcting names among {len(names):,}")
    size = spelling.QUICK if quick else spelling.FULL if full else spelling.SHORT
    found = spelling.correct(names, words, size=size, seed=seed, progress=progress)
    if found.missing:
        missing.append(f"correction of names, fitted odds: {found.missing}")
    return found


def _choice(
    seed: int, cache: Path, missing: list[str], *, quick: bool, full: bool, progress: bool
) -> "Choice | None":
    from pyfastlm.demo import domains, selection

    found, absent = domains.domains(cache / "domains")
    missing += (f"selection, some domains: {reason}" for reason in absent)
    size = selection.QUICK if quick else selection.FULL if full else selection.SHORT
    if not set(size.targets) & found.keys():
        missing.append("selection: none of the domains that its tasks are made of is there")
        return None
    say = _say if progress else _silent
    say(f"selecting among {len(found)} domains of English")
    try:
        return selection.choose(found, size=size, seed=seed, progress=progress)
    except TextsMissing as reason:
        missing.append(f"selection: {reason}")
        return None


def _deletion(
    seed: int, cache: Path, missing: list[str], *, quick: bool, full: bool, progress: bool
) -> "Deletion | None":
    from pyfastlm.demo import debian, mrt5

    try:
        texts = udhr.declaration(len(udhr.ARTICLES), seed, cache)
    except TextsMissing:  # why has been said where the Declaration was to be scored
        missing.append("deletion of bytes: it is learned on the Declaration")
        return None
    say = _say if progress else _silent
    more: dict[str, list[str]] = {}
    for code in debian.SUFFIXES if full else ():
        say(f"help pages in {code}")
        try:
            more[code] = debian.sample(debian.help_pages(code, cache), mrt5.MORE_BYTES, seed)
        except TextsMissing as reason:
            missing.append(f"help pages in {code}: {reason}")
            break  # what one package lacks, the others will lack too
    say(f"training a byte model of {len(texts.sources)} languages that deletes")
    size = mrt5.QUICK if quick else mrt5.FULL if full else mrt5.SHORT
    return mrt5.learn(texts, size=size, seed=seed, more=more, progress=progress)


def _memory(
    seed: int, cache: Path, missing: list[str], *, quick: bool, full: bool, progress: bool
) -> "Memory | None":
    from pyfastlm._threads import num_threads
    from pyfastlm.demo import memorization

    size = memorization.QUICK if quick else memorization.FULL if full else memorization.SHORT
    workers = num_threads() if full else 1
    say = _say if progress else _silent
    say("planting sentences into the training of a small model")
    try:
        return memorization.learn(
            size, cache=cache / "domains", seed=seed, workers=workers, progress=progress
        )
    except TextsMissing as reason:
        missing.append(f"memorisation: {reason}")
        return None


def _peeling(seed: int, *, quick: bool, full: bool, progress: bool) -> "Peeling":
    from pyfastlm.demo import onion

    size = onion.QUICK if quick else onion.FULL if full else onion.SHORT
    (_say if progress else _silent)("teaching a small network to repeat sequences, and repairing its states")
    return onion.peel(size=size, seed=seed, progress=progress)


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
    from pyfastlm._durable import replacing

    with replacing(path, path.with_name(f".{path.name}.{os.getpid()}")) as file:
        file.write(page.encode())


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _silent(line: str) -> None:
    pass
