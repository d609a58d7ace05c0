"""Who may import whom, read from the source tree: imports of Python, includes of C++."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SYSTEMS = {
    "mrt5",
    "qac",
    "spelling",
    "selection",
    "icl",
    "onion",
    "memorization",
    "preference",
    "together",
    "ir",
}
SHARED = {"base", "native", "kernels", "ops", "lm", "index"}

# What each room may import of the house. "base" is pyfastlm/*.py without a room of its own.
ALLOWED: dict[str, set[str]] = {
    "base": {"base", "native"},
    "kernels": {"kernels"},
    "ops": {"base", "native", "kernels", "ops"},
    "lm": {"base", "ops", "lm"},
    "index": {"base", "native", "ops", "index"},
    "_http": {"base", "_http"},
    **{system: {"base", "ops", "lm", "index", "_http", system} for system in SYSTEMS},
    # Its estimators rank without torch, which pyfastlm.ops would load.
    "selection": {"base", "native", "ops", "lm", "index", "selection"},
    # Its corpus index searches without torch.
    "memorization": {"base", "native", "ops", "lm", "index", "memorization"},
    # It weighs candidates natively, for one query at a time.
    "spelling": {"base", "native", "ops", "lm", "index", "_http", "spelling"},
    "demo": SHARED - {"native", "kernels"} | SYSTEMS | {"demo"},
    # It runs the benchmarks as programs, and borrows the demo's page.
    "bench": {"base", "demo", "bench"},
    "cli": SHARED - {"native", "kernels"} | SYSTEMS | {"demo", "bench", "cli"},
}
# Third-party packages, where a room is held to a list; the standard library is always allowed.
THIRD_PARTY: dict[str, set[str]] = {
    "base": set(),
    "kernels": {"torch", "triton"},
    "ops": {"torch", "numpy"},
    "index": {"numpy"},
    "_http": {"starlette", "uvicorn", "h11"},
}
STANDARD = sys.stdlib_module_names | {"__future__"}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
FOREIGN = re.compile(r"^(pybind11|torch|ATen|c10|Python\.h|omp\.h|tbb)")
THREADING = {"thread", "future", "mutex", "condition_variable", "pthread.h"}
INTRINSICS = {"immintrin.h", "x86intrin.h", "arm_neon.h", "arm_sve.h"}


def room_of(module: str) -> str:
    """The room of a module inside pyfastlm, given by its dotted name."""
    part = module.removeprefix("pyfastlm.").partition(".")[0]
    if part == "_native":
        return "native"
    return part if part in ALLOWED else "base"


def module_name(path: Path) -> str:
    """Dotted name under which the file at ``path`` (relative to the root) is imported."""
    parts = path.with_suffix("").parts
    if parts[0] == "kernels":
        parts = ("pyfastlm", *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(source: str, module: str, *, package: bool) -> Iterator[tuple[int, str]]:
    """Line and absolute name of everything imported, also by ``import_module`` and ``require``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")
                above = parents[: len(parents) - node.level + package]
                base = ".".join([*above, base] if base else above)
            # `from pyfastlm import lm` names a room only in the alias.
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            first = node.args[0]
            if name in {"import_module", "__import__", "require"} and isinstance(first, ast.Constant):
                yield node.lineno, str(first.value)


def python_violations(path: Path, source: str) -> list[str]:
    """Imports in the file ``path`` (relative to the root) that go against the arrows."""
    module = module_name(path)
    room = room_of(module)
    found = []
    for line, name in imports(source, module, package=path.name == "__init__.py"):
        top = name.partition(".")[0]
        if top in {"kernels", "tests", "benchmarks"} or name.startswith("pyfastlm.tests"):
            wrong = "the bare name is not part of the package"
        elif top == "pyfastlm":
            # pyfastlm/__init__.py is the door to every room.
            target = room_of(name)
            wrong = (
                "" if module == "pyfastlm" or target in ALLOWED[room] else f"{room} must not import {target}"
            )
        else:
            listed = room not in THIRD_PARTY or top in STANDARD | THIRD_PARTY[room]
            wrong = "" if listed else f"{room} must not import {top}"
        if wrong:
            found.append(f"{path}:{line}: {name}: {wrong}")
    return found


def cpp_violations(path: Path, source: str) -> list[str]:
    """Includes in the file ``path`` (relative to the root) that go against the arrows."""
    core = path.parts[1] == "core"
    found = []
    for match in INCLUDE.finditer(source):
        quoted, name = match[1] == '"', match[2]
        if core and FOREIGN.match(name):
            wrong = "csrc/core knows neither Python nor torch nor another pool"
        elif not core and FOREIGN.match(name) and not name.startswith("pybind11"):
            wrong = "csrc/bind knows pybind11 only"
        elif quoted and not (ROOT / "csrc" / name).is_file():
            wrong = "not a header of csrc"
        elif quoted and core and not name.startswith("core/"):
            wrong = "csrc/core includes only itself"
        elif name in THREADING and path.stem != "parallel":
            wrong = "threads live in core/parallel"
        elif name in INTRINSICS and path.stem != "simd":
            wrong = "instruction sets live in core/simd"
        else:
            continue
        found.append(f"{path}:{source.count(chr(10), 0, match.start()) + 1}: {name}: {wrong}")
    return found


def test_python_imports_follow_the_arrows() -> None:
    files = sorted([*ROOT.glob("pyfastlm/**/*.py"), *ROOT.glob("kernels/**/*.py")])
    assert len(files) > 10, "the source tree was not found"
    assert not [
        bad for file in files for bad in python_violations(file.relative_to(ROOT), file.read_text("utf-8"))
    ]


def test_includes_follow_the_arrows() -> None:
    files = sorted(ROOT.glob("csrc/**/*.[ch]pp"))
    assert len(files) > 5, "the source tree was not found"
    assert not [
        bad for file in files for bad in cpp_violations(file.relative_to(ROOT), file.read_text("utf-8"))
    ]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("pyfastlm/errors.py", "import torch"),
        ("pyfastlm/_threads.py", "from pyfastlm import ops"),
        ("pyfastlm/ops/softmax.py", "from pyfastlm.lm import load"),
        ("pyfastlm/ops/softmax.py", "import transformers"),
        ("pyfastlm/ops/reference/softmax.py", "from ...lm import load"),
        ("pyfastlm/ops/softmax.py", "def f():\n    import kernels.softmax"),
        ("pyfastlm/ops/softmax.py", "importlib.import_module('pyfastlm.cli')"),
        ("kernels/softmax.py", "import numpy"),
        ("kernels/softmax.py", "from pyfastlm.ops import linear_logp"),
        ("pyfastlm/lm/scorer.py", "from pyfastlm.cli import main"),
        ("pyfastlm/lm/scorer.py", "from pyfastlm import _native"),
        ("pyfastlm/index/build.py", "import torch"),
        ("pyfastlm/index/__init__.py", "from ..spelling import Speller"),
        ("pyfastlm/qac/evaluate.py", "from pyfastlm.spelling import Speller"),
        ("pyfastlm/_http/guard.py", "from pyfastlm.qac import serve"),
        ("pyfastlm/_http/guard.py", "import fastapi"),
        ("pyfastlm/lm/scorer.py", "from pyfastlm._http.rate import Buckets"),
        ("pyfastlm/demo/page.py", "from pyfastlm.cli import show"),
        ("pyfastlm/lm/scorer.py", "from pyfastlm.demo import run"),
        ("pyfastlm/bench/running.py", "from benchmarks import memory"),
        ("pyfastlm/cli/score.py", "import pyfastlm.tests.tiny"),
    ],
)
def test_planted_import_is_caught(path: str, source: str) -> None:
    assert len(python_violations(Path(path), source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("pyfastlm/ops/softmax.py", "import torch, os\nfrom pyfastlm.kernels import softmax"),
        ("pyfastlm/ops/reference/softmax.py", "from ..linear_logp import linear_logp"),
        ("pyfastlm/spelling/speller.py", "from pyfastlm.index import TermIndex\nimport symspellpy"),
        ("pyfastlm/spelling/server.py", "from pyfastlm._http.guard import guarded\nimport starlette"),
        ("pyfastlm/cli/score.py", "from pyfastlm.lm import Scorer\nimport typer"),
        ("kernels/softmax.py", "import triton.language as tl\nfrom . import manifest"),
        ("pyfastlm/__init__.py", "from pyfastlm import lm, ops"),
    ],
)
def test_allowed_import_passes(path: str, source: str) -> None:
    assert python_violations(Path(path), source) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("csrc/core/softmax.cpp", "#include <pybind11/pybind11.h>"),
        ("csrc/core/softmax.hpp", "#  include <ATen/ATen.h>"),
        ("csrc/core/softmax.cpp", "#include <omp.h>"),
        ("csrc/core/softmax.cpp", '#include "core/no_such_header.hpp"'),
        ("csrc/core/softmax.cpp", "int x;\n#include <thread>"),
        ("csrc/core/softmax.cpp", "#include <immintrin.h>"),
        ("csrc/bind/softmax.cpp", "#include <torch/extension.h>"),
    ],
)
def test_planted_include_is_caught(path: str, source: str) -> None:
    assert len(cpp_violations(Path(path), source)) == 1
