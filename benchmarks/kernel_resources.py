"""What every Triton kernel needs of a GPU, by the ahead-of-time gate: the tables of the page on kernels.

    python benchmarks/kernel_resources.py [--all]

Compiles the kernels of those ops whose source has changed since (with --all, of every op), and writes
benchmarks/results/kernel_resources.json. Some minutes for all; TRITON_INTERPRET must be unset. It proves that
kernels compile within their resources, never that they are fast or right.
"""

import argparse
import ast
import hashlib
import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results/kernel_resources.json"


def ops() -> list[str]:
    """Ops that have Triton kernels."""
    return sorted(path.stem for path in (ROOT / "kernels/forms").glob("[!_]*.py") if path.stem != "entry")


def fingerprint(op: str) -> str:
    """Of the source that decides what the gate compiles for ``op``; comments and docstrings have no part."""
    files: list[Path] = []
    waiting = [ROOT / f"kernels/forms/{op}.py"]
    while waiting:
        path = waiting.pop()
        if path not in files:
            files.append(path)
            waiting += _imported(path)
    sources = "\n".join(_bare(path) for path in sorted(files))
    return hashlib.sha256(sources.encode()).hexdigest()[:16]


def stale(found: dict[str, dict]) -> list[str]:
    """Ops whose source is not that of ``found``."""
    return [op for op in ops() if found.get(op, {}).get("fingerprint") != fingerprint(op)]


def _imported(path: Path) -> list[Path]:
    """Files of kernels/ that ``path`` imports."""
    names = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pyfastlm.kernels"):
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    files = (ROOT / f"{name.removeprefix('pyfastlm.').replace('.', '/')}.py" for name in names)
    return [file for file in files if file.is_file()]


def _bare(path: Path) -> str:
    """The source of ``path`` without comments and docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [each for each in node.body if not _is_text(each)]
    return ast.unparse(tree)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def main() -> None:
    """Measure what is stale, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="also what has not changed")
    everything = parser.parse_args().all
    from pyfastlm.kernels import aot, manifest

    triton = version("triton")
    written = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    kept = {} if everything or written.get("triton") != triton else written["ops"]
    if not (wanted := stale(kept)):
        print("nothing is stale")
        return
    entries = {op: [entry for entry in manifest.ENTRIES if _op_of(entry.kernel) == op] for op in wanted}
    rows = iter(aot.measure_all([entry for op in wanted for entry in entries[op]]))
    for op in wanted:
        found = [asdict(next(rows)) for _ in range(len(entries[op]) * len(aot.SHARED_LIMITS))]
        kept[op] = {"fingerprint": fingerprint(op), "rows": found}
    RESULTS.write_text(
        json.dumps({"triton": triton, "ops": {op: kept[op] for op in ops()}}, indent=1) + "\n", "utf-8"
    )
    print(f"{RESULTS.relative_to(ROOT)}: {', '.join(wanted)}")


def _op_of(kernel: str) -> str:
    """The op of "pyfastlm.kernels.<op>[_backward]:function"."""
    return kernel.partition(":")[0].rpartition(".")[2].removesuffix("_backward")


if __name__ == "__main__":
    main()
