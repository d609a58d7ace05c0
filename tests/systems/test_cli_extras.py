"""A command whose package is absent says in one line which extra brings it, and that extra does."""

import re
import shutil
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import Any

import pytest
from forks import Forks, forks
from verbs import command

SAYS = re.compile(r'pyfastlm: error: .*?(\w+) is not installed; run: pip install "pyfastlm\[(\w+)\]"\n')

# What some command cannot do without; the verbs of ``VERBS`` and some that need more.
NEEDS = [
    ("score", "transformers", "lm"),
    ("score", "pyarrow", "lm"),
    ("score", "ray", "ray", "--engine", "ray"),
    ("score", "gguf", "demo", "-m", "model.gguf"),
    ("score", "accelerate", "demo", "-m", "model.gguf"),
    ("icl fit", "numba", "icl"),
    ("icl report", "matplotlib", "icl"),
    ("icl train", "transformers", "lm"),
    ("ir eval", "bm25s", "ir"),
    ("ir train", "sentence_transformers", "ir"),
    ("ir generate", "transformers", "lm"),
    ("memorize index", "pydivsufsort", "memorization"),
    ("memorize measure", "pyarrow", "memorization"),
    ("memorize trace", "matplotlib", "memorization"),
    ("mrt5 eval", "transformers", "mrt5"),
    ("onion report", "matplotlib", "onion"),
    ("prefer clair", "openai", "preference", "--endpoint", "http://127.0.0.1:9/v1"),
    ("prefer contrast", "rapidfuzz", "preference"),
    ("prefer report", "matplotlib", "preference"),
    ("prefer train", "peft", "preference"),
    ("qac count", "duckdb", "qac"),
    ("qac eval", "pyarrow", "qac"),
    ("qac eval", "usearch", "qac", "--engines", "semantic", "--encoder", "encoder"),
    ("qac eval", "sentence_transformers", "qac", "--engines", "semantic", "--encoder", "encoder"),
    ("qac serve", "starlette", "qac"),
    ("qac serve", "uvicorn", "qac"),
    ("select correlate", "pyarrow", "selection"),
    ("select filter train", "fasttext", "selection", "--kind", "fasttext"),
    ("select filter train", "sklearn", "selection"),
    ("select report", "matplotlib", "selection"),
    ("spell build", "symspellpy", "spelling", "--english", "english.index"),
    ("spell serve", "starlette", "spelling"),
    ("spell serve", "uvicorn", "spelling"),
    ("spell train", "sklearn", "spelling"),
    ("together run", "dspy", "together"),
]
LOADED = {"transformers", "pyarrow", "accelerate", "scipy", "sklearn"}  # with transformers
SERVERS = {
    "qac serve": ["terms.index"],
    "spell serve": ["names.index"],
    "together run": ["-o", "grid", "--lm", "lm"],
}


def brings(extra: str) -> set[str]:
    """The distributions that ``pip install pyfastlm[extra]`` installs by name."""
    found: set[str] = set()
    for line in requires("pyfastlm") or []:
        given, _, of = line.partition("; extra == ")
        if of.strip("'\"") != extra:
            continue
        name, _, extras = re.split(r"[><=;! ]", given)[0].rstrip("]").partition("[")
        found |= set().union(*map(brings, extras.split(","))) if name == "pyfastlm" else {normal(name)}
    return found


def normal(name: str) -> str:
    return name.lower().replace("_", "-")


def distributions(module: str) -> set[str]:
    return {normal(name) for name in packages_distributions().get(module, ())}


@pytest.fixture(scope="module")
def server(made_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    folder = tmp_path_factory.mktemp("extras") / "work"
    shutil.copytree(made_once, folder)
    (folder / "model.gguf").write_bytes(b"GGUF")
    with forks(folder) as found:
        yield found


@pytest.fixture(scope="module")
def warm(server: Forks) -> Iterator[Forks]:
    """The same where transformers is loaded, for what is not about that."""
    with forks(server.folder, transformers=True) as found:
        yield found


def cases() -> Iterator[Any]:
    """The first package of each extra; the others are slow."""
    extras: set[str] = set()
    for verb, module, extra, *more in NEEDS:
        yield pytest.param(
            verb, module, extra, more, marks=[pytest.mark.slow] * (extra in extras), id=f"{verb}: {module}"
        )
        extras.add(extra)


@pytest.mark.parametrize(("verb", "module", "extra", "more"), [*cases()])
def test_the_line_names_the_extra(
    server: Forks, warm: Forks, verb: str, module: str, extra: str, more: list[str]
) -> None:
    given = [*verb.split(), *SERVERS[verb]] if verb in SERVERS else command(verb)
    place = server if module in LOADED else warm
    told = place.run(*given, *more, without=(module,))
    assert (told.code, told.out) == (2, ""), told.err
    says = SAYS.fullmatch(told.err)
    assert says, told.err
    assert says.groups() == (module, extra)
    assert distributions(module) & brings(extra)
