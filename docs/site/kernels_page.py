"""What follows on the page on kernels: contracts and rooflines from docstrings, resources from the gate.

Sources are read, not imported: no torch, triton or extension is needed.
"""

import ast
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESOURCES = ROOT / "benchmarks/results/kernel_resources.json"
ROOMS = (
    "csrc/core/{}.cpp", "csrc/bind/{}.cpp", "kernels/{}.py", "kernels/{}_backward.py", "kernels/forms/{}.py",
    "pyfastlm/ops/{}.py", "pyfastlm/ops/reference/{}.py", "tests/native/test_{}.cpp", "tests/ops/test_{}.py",
    "tests/ops/test_{}_triton.py", "benchmarks/bench_{}.py",
)  # fmt: skip
HEAD = """| kernel | form | registers, sm_80 | sm_90 | shared memory, sm_80 | sm_90 | spills |
|---|---|---:|---:|---:|---:|---:|"""


def sections() -> str:
    """Markdown: a table of all ops, then a section for each."""
    resources = json.loads(RESOURCES.read_text("utf-8"))
    ops = sorted(path.stem for path in (ROOT / "pyfastlm/ops").glob("[!_]*.py"))
    parts = ["## Ops", f"Resources are by Triton {resources['triton']}.", _contracts(ops)]
    for op in ops:
        parts += [f"## {op}", _rooms(op)]
        if (kernel := ROOT / f"kernels/{op}.py").is_file():
            parts.append(ast.get_docstring(_parsed(kernel)) or "")
        if op in resources["ops"]:
            parts.append(_table(resources["ops"][op]["rows"]))
    return "\n\n".join(parts)


def _contracts(ops: list[str]) -> str:
    """A line for every public function of every op."""
    lines = ["| op | what it does |", "|---|---|"]
    for op in ops:
        tree = _parsed(ROOT / f"pyfastlm/ops/{op}.py")
        lines += [f"| [`{name}`](#{op}) | {line} |" for name, line in _functions(tree)]
    return "\n".join(lines)


def _functions(tree: ast.Module) -> list[tuple[str, str]]:
    """Functions that ``pyfastlm.ops`` makes public, with the first line of their docstrings."""
    package = _parsed(ROOT / "pyfastlm/ops/__init__.py")
    public = {alias.name for node in package.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in public)
    return [(node.name, (ast.get_docstring(node) or "").splitlines()[0]) for node in functions]


def _rooms(op: str) -> str:
    """The files of one op."""
    names = [room.format(op) for room in ROOMS]
    return "Rooms: " + ", ".join(f"`{name}`" for name in names if (ROOT / name).is_file()) + "."


def _table(rows: list[dict[str, Any]]) -> str:
    """One line for each form, both targets beside each other."""
    forms: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        forms.setdefault((row["kernel"], row["form"]), []).append(row)
    lines = [HEAD]
    for (kernel, form), (old, new) in forms.items():
        spills = sum(row["spill_stores"] + row["spill_loads"] for row in (old, new))
        cells = (old["registers"], new["registers"], f"{old['shared']:,}", f"{new['shared']:,}", spills)
        lines.append(f"| `{kernel}` | {form} | " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))
