"""What the tests of page filters share: made-up pages of domains that differ in their words."""

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

COMMON = [f"word{i}" for i in range(300)]
SCIENCE = [f"atom{i}" for i in range(120)]
GOSSIP = [f"star{i}" for i in range(120)]
INCLUDED = {f"lab{i}.org": True for i in range(5)}
EXCLUDED = {f"fan{i}.com": False for i in range(5)}
LABELS = INCLUDED | EXCLUDED


def page(rng: random.Random, included: bool, words: int = 60, own: float = 0.2) -> str:
    """A text of common words, of which ``own`` are of its side; with line ends inside."""
    topic = SCIENCE if included else GOSSIP
    chosen = [rng.choice(topic if rng.random() < own else COMMON) for _ in range(words)]
    return "".join(word + ("\n" if rng.random() < 0.1 else " ") for word in chosen).strip()


def rows(each: int = 60, *, seed: int = 0, own: float = 0.2, words: int = 60) -> list[dict[str, Any]]:
    """``each`` pages of every domain of ``LABELS``, shuffled."""
    rng = random.Random(seed)
    found = [
        {"id": f"{domain}/{i}", "domain": domain, "text": page(rng, label, words, own)}
        for domain, label in LABELS.items()
        for i in range(each)
    ]
    rng.shuffle(found)
    return found


def write(path: Path, values: Iterable[dict[str, Any]]) -> Path:
    """JSON lines."""
    path.write_bytes(b"".join(json.dumps(value).encode() + b"\n" for value in values))
    return path
