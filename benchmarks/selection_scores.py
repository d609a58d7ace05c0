"""Errors of the family on the tasks, kept model by model."""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from selection_family import LM_NAME, Member
from selection_tasks import ITEMS

from pyfastlm._durable import replacing
from pyfastlm.demo.tasks import Task, error
from pyfastlm.selection import BenchmarkErrors

FEWER = 120  # items of a task, for transformers
LM_ITEMS = 40  # for the one that takes a second for some


def errors(members: Sequence[Member], tasks: Sequence[Task], cache: Path) -> BenchmarkErrors:
    """[N, K]; what was measured before is not measured again."""
    cache.mkdir(parents=True, exist_ok=True)
    values = np.array([[*_of(member, tasks, cache).values()] for member in members])
    return BenchmarkErrors(
        tuple(member.name for member in members),
        tuple(member.family for member in members),
        tuple(task.name for task in tasks),
        values,
    )


def _of(member: Member, tasks: Sequence[Task], cache: Path) -> dict[str, float]:
    most = LM_ITEMS if member.path == LM_NAME else ITEMS if member.path.endswith(".ngram") else FEWER
    basis = json.dumps([member.path, most, [asdict(task) for task in tasks]])
    path = cache / f"{hashlib.sha256(basis.encode()).hexdigest()[:16]}.json"
    if path.exists():
        kept: dict[str, float] = json.loads(path.read_text("utf-8"))
        return kept
    model = member.open()
    found = {task.name: error(model, task, most) for task in tasks}
    with replacing(path, path.with_suffix(f".{os.getpid()}")) as file:
        file.write(json.dumps(found).encode())
    print(f"{member.name}: {np.mean([*found.values()]):.3f}", flush=True)
    return found
