"""What importing pyfastlm costs, and that everything it promises is there."""

import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import pyfastlm

HEAVY = ("torch", "triton", "transformers", "numpy", "pyarrow", "typer", "rich")
IMPORT = f"""
import sys, time
start = time.perf_counter()
import {{module}}
print(time.perf_counter() - start)
print(*(name for name in {HEAVY!r} if name in sys.modules))
"""
# Modules that need an optional dependency already at import.
NEED_TRITON = "pyfastlm.kernels"


def fresh_import(module: str, cwd: Path) -> tuple[float, list[str]]:
    """Seconds for ``import module`` in a new interpreter, and the heavy packages it loaded."""
    run = subprocess.run(
        [sys.executable, "-c", IMPORT.format(module=module)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, _, loaded = run.stdout.partition("\n")
    return float(seconds), loaded.split()


def public_modules() -> list[str]:
    """Every importable module of the package whose path has no private part."""
    found = ["pyfastlm"]
    for module in pkgutil.walk_packages(pyfastlm.__path__, "pyfastlm.", onerror=lambda name: None):
        private = any(part.startswith("_") for part in module.name.split("."))
        # In an editable install the root of the repository is on the package's path as well.
        stray = module.name.split(".")[1] in {"tests", "benchmarks", "pyfastlm"}
        if not private and not stray and not module.name.startswith(NEED_TRITON):
            found.append(module.name)
    return found


def test_import_is_light(tmp_path: Path) -> None:
    runs = [fresh_import("pyfastlm", tmp_path) for _ in range(7)]
    assert [loaded for _, loaded in runs] == [[]] * len(runs)
    assert min(seconds for seconds, _ in runs) < 0.100


@pytest.mark.parametrize("module", ["pyfastlm.errors", "pyfastlm._backends", "pyfastlm._threads"])
def test_base_modules_load_nothing_heavy(module: str, tmp_path: Path) -> None:
    assert fresh_import(module, tmp_path)[1] == []


def test_probe_sees_heavy_imports(tmp_path: Path) -> None:
    assert "numpy" in fresh_import("numpy", tmp_path)[1]


@pytest.mark.parametrize("module", public_modules())
def test_public_names_resolve_and_are_documented(module: str) -> None:
    imported = importlib.import_module(module)
    assert imported.__doc__, f"{module} has no docstring"
    for name in getattr(imported, "__all__", ()):
        value = getattr(imported, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), f"{module}.{name} has no docstring"


def test_dir_and_unknown_names() -> None:
    assert set(pyfastlm.__all__) <= set(dir(pyfastlm))
    with pytest.raises(AttributeError, match="no_such_room"):
        pyfastlm.no_such_room  # noqa: B018
