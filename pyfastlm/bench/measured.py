"""From what pytest and pytest-benchmark write to groups and outcomes."""

import json
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any
from xml.etree import ElementTree

import numpy as np

from pyfastlm.bench.results import Group, Role, Timing

OURS = "pyfastlm"  # how the names of ours begin
BOUND = "bound"  # and those of what only shows what is possible
APART = ("peer", "turn")  # parameters that are the name, or a round of its own
NOT_TIMED = "non-benchmark"  # of pytest-benchmark's reason to skip what measures nothing
Row = dict[str, Any]


def groups(figures: Path) -> tuple[Group, ...]:
    """Of the JSON of pytest-benchmark, in the order in which they ran; none where it is empty."""
    text = figures.read_text("utf-8") if figures.exists() else ""
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in json.loads(text)["benchmarks"] if text else []:
        rows[row["group"] or _test(row)].append(row)
    return tuple(Group(name, _timings(some)) for name, some in rows.items())


def _timings(rows: list[Row]) -> tuple[Timing, ...]:
    """One for each contender; turns of one are rounds of one."""
    namesakes: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        namesakes[_named(row) or _test(row)].append(row)
    contenders: dict[str, list[Row]] = defaultdict(list)
    for name, some in namesakes.items():
        for row in some:
            contenders[name + _difference(row, some)].append(row)
    return tuple(_timing(name, some) for name, some in contenders.items())


def _timing(name: str, rows: list[Row]) -> Timing:
    calls = [row["extra_info"].get("calls", 1) for row in rows]
    data = [second / count for row, count in zip(rows, calls, strict=True) for second in row["stats"]["data"]]
    middle = median(data)
    low, high = np.percentile(data, [25, 75])
    gflops, gigabytes = (
        max((row["extra_info"][rate] for row in rows if rate in row["extra_info"]), default=None)
        for rate in ("gflops", "gigabytes")
    )
    return Timing(
        name, _role(rows[0]), min(data), middle, float(high - low) / middle, len(data),
        max(calls) > 1, gflops, gigabytes,
    )  # fmt: skip


def _role(row: Row) -> Role:
    name = _named(row)
    if name is None or name.startswith(BOUND):
        return "beside"
    return "ours" if name.startswith(OURS) else "peer"


def _named(row: Row) -> str | None:
    """The contender's name, as a parameter or as a note of the test; None where it is no contender."""
    name = row["extra_info"].get("peer", (row["params"] or {}).get("peer"))
    return None if name is None else str(name)


def _test(row: Row) -> str:
    return str(row["name"]).partition("[")[0].removeprefix("test_")


def _difference(row: Row, namesakes: list[Row]) -> str:
    """Parameters in which rows of one name and group differ, such as threads."""
    said = ""
    for key, value in (row["params"] or {}).items():
        if key not in APART and any((other["params"] or {}).get(key) != value for other in namesakes):
            said += f", {key} {value}"
    return said


def outcomes(report: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What failed and what was skipped, each with its reason, of the JUnit XML of pytest."""
    failed: list[str] = []
    skipped: list[str] = []
    cases = ElementTree.parse(report).iter("testcase") if report.exists() else ()
    for case in cases:
        faults = *case.findall("failure"), *case.findall("error")
        failed += [f"{case.get('name')}: {_line(_fault(fault))}" for fault in faults]
        reasons = [reason.get("message", "") for reason in case.findall("skipped")]
        skipped += [f"{case.get('name')}: {_line(one)}" for one in reasons if NOT_TIMED not in one]
    return tuple(failed), tuple(skipped)


def _fault(fault: ElementTree.Element) -> str:
    """What went wrong; where a file could not be read, pytest says so only in the last line of the text."""
    message, text = fault.get("message", ""), (fault.text or "").strip()
    return text.rpartition("\n")[2].removeprefix("E ") if message == "collection failure" else message


def _line(message: str) -> str:
    """The first line that says something, not too long."""
    return next((line.strip() for line in message.split("\n") if line.strip()), "no reason")[:200]
