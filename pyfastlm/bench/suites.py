"""Which suites there are, and what of them a run takes."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyfastlm
from pyfastlm.errors import InputError

TABLE = "suites.toml"
PREFIX = "bench_"


@dataclass(frozen=True, slots=True)
class Plan:
    """One suite: the file ``bench_<name>.py``, and what ``suites.toml`` says of it.

    ``whole`` and ``quick`` choose tests as pytest's ``-k`` does; "" is all of them. Without ``quick`` a quick
    run leaves the suite out, and ``left_out`` says why every run does. ``environment`` makes inputs smaller.
    """

    path: Path
    whole: str = ""
    quick: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    left_out: str = ""

    @property
    def name(self) -> str:
        """That of the file without ``bench_``."""
        return self.path.stem.removeprefix(PREFIX)


def folder_of_clone() -> Path:
    """``benchmarks`` of the clone that this package runs from.

    Raises:
        InputError: it runs from no clone.
    """
    folder = Path(pyfastlm.__file__).parents[1] / "benchmarks"
    if not folder.is_dir():
        raise InputError(
            "bench: the benchmarks are not part of the installed package; clone the repository, install it "
            "with pip install -e '.[bench]', or name a directory of suites by --suites"
        )
    return folder


def chosen(folder: Path, only: list[str], *, quick: bool) -> list[Plan]:
    """The suites of ``folder`` by name: those in ``only`` if there are any, else all that a run takes.

    Raises:
        InputError: there are no suites or not that one, it has nothing quick or is always left out, or
            ``suites.toml`` is damaged.
    """
    plans = _plans(folder)
    if unknown := [name for name in only if name not in plans]:
        raise InputError(f"only: there is no suite {unknown[0]!r}; expected some of {', '.join(plans)}")
    for plan in (plans[name] for name in only):
        if plan.left_out:
            raise InputError(f"only: the suite {plan.name!r} is left out: {plan.left_out}")
        if quick and plan.quick is None:
            raise InputError(f"only: the suite {plan.name!r} has nothing quick; leave --quick out")
    taken = [plan for name, plan in plans.items() if not only or name in only]
    return [plan for plan in taken if not plan.left_out and (not quick or plan.quick is not None)]


def _plans(folder: Path) -> dict[str, Plan]:
    """All suites by name, in alphabetical order."""
    paths = {path.stem.removeprefix(PREFIX): path for path in sorted(folder.glob(f"{PREFIX}*.py"))}
    if not paths:
        raise InputError(f"suites: {str(folder)!r} has no files {PREFIX}*.py")
    table = folder / TABLE
    try:
        said = tomllib.loads(table.read_text("utf-8")) if table.exists() else {}
    except ValueError as error:
        raise InputError(f"suites: {str(table)!r} is not TOML: {error}") from error
    if strange := said.keys() - paths.keys():
        raise InputError(f"suites: {str(table)!r} names {min(strange)!r}, which has no file")
    try:
        return {name: _plan(path, said.get(name, {})) for name, path in paths.items()}
    except TypeError as error:
        raise InputError(f"suites: {str(table)!r}: {error}") from error


def _plan(path: Path, said: Any) -> Plan:
    name = path.stem.removeprefix(PREFIX)
    if not isinstance(said, dict):
        raise TypeError(f"{name}: expected a table, got {said!r}")
    texts = [value for key, value in said.items() if key != "environment"]
    if not all(isinstance(text, str) for text in (*texts, *said.get("environment", {}).values())):
        raise TypeError(f"{name}: expected texts, got {said}")
    return Plan(path, **said)
