"""What importing pyfastlm costs, and that everything it promises is there."""

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import pyfastlm
from pyfastlm.errors import MissingExtra

HEAVY = ("torch", "triton", "transformers", "numpy", "pyarrow", "typer", "rich")
IMPORT = f"""
import sys, time
start = time.process_time()  # of the processor: others on the machine do not count
import {{module}}
print(time.process_time() - start)
print(*(name for name in {HEAVY!r} if name in sys.modules))
"""

# Modules that are nothing without a package of an extra: compiled by it, or a class of it extended.
NEEDS = {
    "pyfastlm.icl.fitting.forms": "numba",
    "pyfastlm.icl.fitting.solver": "numba",
    "pyfastlm.lm.training.trainer": "accelerate",
    "pyfastlm.preference.trainer": "trl",
    "pyfastlm.together.provider": "dspy",
}


def fresh_import(module: str, cwd: Path) -> tuple[float, list[str]]:
    """Processor seconds for ``import module`` in a new interpreter, and the heavy packages it loaded."""
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
    """Every module of the package without a private part in its path; Triton kernels need their extra."""
    package = Path(pyfastlm.__file__).parent
    names = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if parts[1:2] != ("kernels",) and not any(part.startswith("_") for part in parts):
            names.append(".".join(parts))
    return names


def test_import_is_light(tmp_path: Path) -> None:
    runs = [fresh_import("pyfastlm", tmp_path) for _ in range(7)]
    assert [loaded for _, loaded in runs] == [[]] * len(runs)
    assert min(seconds for seconds, _ in runs) < 0.100


@pytest.mark.parametrize("module", ["pyfastlm.errors", "pyfastlm._backends", "pyfastlm._threads"])
def test_base_modules_load_nothing_heavy(module: str, tmp_path: Path) -> None:
    assert fresh_import(module, tmp_path)[1] == []


def test_the_index_loads_nothing_but_numpy(tmp_path: Path) -> None:
    assert fresh_import("pyfastlm.index", tmp_path)[1] == ["numpy"]


def test_completion_loads_nothing_until_it_is_used(tmp_path: Path) -> None:
    assert fresh_import("pyfastlm.qac", tmp_path)[1] == []
    for module in ("server", "comparison", "counts", "reader", "sessions"):
        assert "torch" not in fresh_import(f"pyfastlm.qac.{module}", tmp_path)[1]


def test_the_estimators_of_selection_load_nothing_but_numpy(tmp_path: Path) -> None:
    assert fresh_import("pyfastlm.selection", tmp_path)[1] == []
    alone = ("estimators", "projections", "bootstrapping", "budget", "aggregation", "column_blocks")
    study = ("selecting", "prediction", "correlating", "stability", "analysis")
    for module in (*alone, *(f"study.{name}" for name in study), "report.writing"):
        assert fresh_import(f"pyfastlm.selection.{module}", tmp_path)[1] == ["numpy"]


def test_probe_sees_heavy_imports(tmp_path: Path) -> None:
    assert "numpy" in fresh_import("numpy", tmp_path)[1]


@pytest.mark.parametrize("module", public_modules())
def test_public_names_resolve_and_are_documented(module: str) -> None:
    if module in NEEDS:
        pytest.importorskip(NEEDS[module])
    imported = importlib.import_module(module)
    assert imported.__doc__, f"{module} has no docstring"
    for name in getattr(imported, "__all__", ()):
        try:
            value = getattr(imported, name)
        except MissingExtra:
            continue  # of a module that needs it
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), f"{module}.{name} has no docstring"


def test_dir_and_unknown_names() -> None:
    assert set(pyfastlm.__all__) <= set(dir(pyfastlm))
    with pytest.raises(AttributeError, match="no_such_room"):
        pyfastlm.no_such_room  # noqa: B018
