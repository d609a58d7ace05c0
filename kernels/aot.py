"""The ahead-of-time gate: compile every kernel of the manifest without a GPU and check what it needs.

``python -m pyfastlm.kernels.aot [--json]`` prints registers, spills and shared memory of every form for
sm_80 and sm_90. Exit code 1 where registers spill, shared memory exceeds the target or the form's budget,
or a form does not compile; 2 where the gate cannot run. It proves that kernels compile within their
resources, never that they are fast or right.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyfastlm.kernels.manifest import Entry

SHARED_LIMITS = {80: 163 << 10, 90: 227 << 10}
"""Compute capability times ten: shared memory that one block may ask for, in bytes."""


@dataclass(frozen=True)
class Resources:
    """What one form needs on one target; sizes in bytes. ``problems`` is empty where the gate is open."""

    kernel: str
    form: str
    target: str
    registers: int
    spill_stores: int
    spill_loads: int
    shared: int
    problems: tuple[str, ...]


def specialisation(entry: Entry, kernel: Any) -> tuple[dict[str, str], dict[Any, Any], dict[Any, Any]]:
    """Signature, constants and attributes of ``entry`` in the form that Triton's launcher makes of a call."""
    constants = {name: entry.constants.get(name) for name in kernel.arg_names if name not in entry.signature}
    signature = {name: entry.signature.get(name, "constexpr") for name in kernel.arg_names}
    attributes = {
        (position,): [["tt.divisibility", 16]]
        for position, name in enumerate(kernel.arg_names)
        if name in entry.divisible
    }
    return signature, {(kernel.arg_names.index(name),): v for name, v in constants.items()}, attributes


def resolve(entry: Entry) -> Any:
    """The ``@triton.jit`` function that ``entry`` names."""
    module, _, name = entry.kernel.partition(":")
    return getattr(importlib.import_module(module), name)


def measure(entry: Entry, capability: int) -> Resources:
    """Compile ``entry`` for ``capability`` and read the resources off ptxas."""
    from triton import compile as compile_kernel
    from triton.backends.compiler import GPUTarget
    from triton.backends.nvidia.compiler import get_ptxas, sm_arch_from_capability
    from triton.compiler import ASTSource

    architecture = sm_arch_from_capability(capability)
    name = entry.kernel.partition(":")[2]
    try:
        kernel = resolve(entry)
        signature, constants, attributes = specialisation(entry, kernel)
        compiled = compile_kernel(
            ASTSource(kernel, signature, constexprs=constants, attrs=attributes),
            target=GPUTarget("cuda", capability, 32),
            options={
                "num_warps": entry.warps,
                "num_stages": entry.stages,
                "enable_fp_fusion": entry.fp_fusion,
            },
        )
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "kernel.ptx")
            source.write_text(compiled.asm["ptx"])
            # The plain ptxas may refuse the PTX of newer targets: every target has its own.
            report = subprocess.run(
                [get_ptxas(capability).path, "-v", f"--gpu-name={architecture}", source, "-o", os.devnull],
                check=True,
                capture_output=True,
                text=True,
            ).stderr
    except Exception as error:  # any failure of the compiler closes the gate for this form only
        reason = f"does not compile: {type(error).__name__}: {' '.join(str(error).split())}"
        return Resources(name, entry.form, architecture, 0, 0, 0, 0, (reason,))
    registers = _number(r"Used (\d+) registers", report)
    stores = _number(r"(\d+) bytes spill stores", report)
    loads = _number(r"(\d+) bytes spill loads", report)
    shared = int(compiled.metadata.shared)
    problems = []
    if stores or loads:
        problems.append("spills registers")
    if shared > SHARED_LIMITS[capability]:
        problems.append(f"shared memory over the {SHARED_LIMITS[capability]:,} bytes of the target")
    if shared > entry.shared:
        problems.append(f"shared memory over the budget of {entry.shared:,} bytes")
    return Resources(name, entry.form, architecture, registers, stores, loads, shared, tuple(problems))


def _number(pattern: str, report: str) -> int:
    match = re.search(pattern, report)
    if match is None:
        raise RuntimeError(f"ptxas says nothing like {pattern!r}: {report}")
    return int(match[1])


def measure_all(entries: Sequence[Entry]) -> list[Resources]:
    """Every entry on every target, in a few processes with a compiler cache of their own."""
    jobs = [(entry, capability) for entry in entries for capability in SHARED_LIMITS]
    with tempfile.TemporaryDirectory(prefix="pyfastlm-aot-") as cache:
        os.environ["TRITON_CACHE_DIR"] = cache
        processes = min(len(jobs), os.cpu_count() or 1)
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            return list(pool.map(measure, *zip(*jobs, strict=True)))


def table(rows: Sequence[Resources]) -> str:
    """The resources as plain text, one form and target a line."""
    head = ("kernel", "form", "target", "registers", "spill stores", "spill loads", "shared", "")
    lines = [head] + [
        (
            row.kernel,
            row.form,
            row.target,
            str(row.registers),
            str(row.spill_stores),
            str(row.spill_loads),
            f"{row.shared:,}",
            "; ".join(row.problems) or "ok",
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if 3 <= column <= 6 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def main(arguments: Sequence[str] | None = None, entries: Sequence[Entry] | None = None) -> int:
    """Run the gate over ``entries`` (the manifest's by default); return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pyfastlm.kernels.aot", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    if "TRITON_INTERPRET" in os.environ:
        print(
            "TRITON_INTERPRET: expected unset, because interpreted kernels cannot be compiled; "
            "run: env -u TRITON_INTERPRET python -m pyfastlm.kernels.aot",
            file=sys.stderr,
        )
        return 2
    if importlib.util.find_spec("triton") is None:
        print('triton is not installed; run: pip install "pyfastlm[triton]"', file=sys.stderr)
        return 2
    if entries is None:
        from pyfastlm.kernels import manifest  # loads triton

        entries = manifest.ENTRIES
    rows = measure_all(entries)
    failed = sum(bool(row.problems) for row in rows)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        print(table(rows))
        print(f"\n{len(rows)} compiled, {failed} with problems. Resources only: not speed, not numbers.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
