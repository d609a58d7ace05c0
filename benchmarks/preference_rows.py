"""Real texts that people revised: docstrings of packages, as they were in an older release and are now.

    pip download --no-deps -d older networkx==2.5 sympy==1.6.2 nltk==3.6.2 Jinja2==2.11.3 hypothesis==5.49.0
    python benchmarks/preference_rows.py older pairs.jsonl

The newer ones are those of the installed packages. The second command writes the pairs for training: what
was changed since is rejected, what it became is chosen. The texts are of the packages' authors and under
their licences; nothing of them is in this repository.
"""

import argparse
import ast
import warnings
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

SHORTEST, LONGEST = 40, 500  # characters of a paragraph


class Text(NamedTuple):
    """The first paragraph of a docstring."""

    name: str
    text: str

    @property
    def prompt(self) -> str:
        return f"Say in one sentence what `{self.name}` of Python is or does."


class Revised(NamedTuple):
    """The same one in two releases."""

    older: Text
    newer: str


def paragraphs(source: str, module: str) -> Iterator[Text]:
    """Of each function and class; white space is a single space."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what older releases write
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
            return
    waiting: list[tuple[ast.AST, str]] = [(tree, module)]
    while waiting:
        node, name = waiting.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                inner = f"{name}.{child.name}"
                waiting.append((child, inner))
                whole = ast.get_docstring(child) or ""
                text = " ".join(whole.split("\n\n")[0].split())
                if SHORTEST <= len(text) <= LONGEST and text.isprintable():
                    yield Text(inner, text)


def installed(package: str) -> list[Text]:
    """Of an installed package, without its tests."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise SystemExit(f"{package} is not installed")
    root = Path(found.submodule_search_locations[0])
    texts: list[Text] = []
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        if "tests" not in parts:
            texts += paragraphs(path.read_text("utf-8", "replace"), ".".join(parts))
    return texts


def common(directory: Path) -> list[Revised]:
    """All texts of the wheels in ``directory`` that the installed packages have too, changed or not."""
    found: dict[tuple[str, str], Revised] = {}
    for wheel in sorted(directory.glob("*.whl")):
        package = wheel.name.split("-")[0].lower()
        now = {each.name: each.text for each in installed(package)}
        with zipfile.ZipFile(wheel) as archive:
            for name in sorted(archive.namelist()):
                parts = name.removesuffix(".py").split("/")
                if name.endswith(".py") and "tests" not in parts:
                    source = archive.read(name).decode("utf-8", "replace")
                    for each in paragraphs(source, ".".join(parts)):
                        if each.name in now:
                            found.setdefault((each.text, now[each.name]), Revised(each, now[each.name]))
    if not found:
        raise SystemExit(f"no wheels of installed packages in {directory}")
    return [*found.values()]


def main() -> None:
    from pyfastlm.preference.builders import Built, Outcome, Reason
    from pyfastlm.preference.files import write_pairs
    from pyfastlm.preference.pairs import PreferencePair

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("older", type=Path)
    parser.add_argument("pairs", type=Path)
    given = parser.parse_args()
    rows = common(given.older)
    write_pairs(
        Built(
            tuple(
                Outcome(PreferencePair(each.older.prompt, each.newer, each.older.text))
                if each.newer != each.older.text
                else Outcome(None, Reason.UNCHANGED)
                for each in rows
            )
        ),
        given.pairs,
    )


if __name__ == "__main__":
    main()
