"""A small catalogue of brand-like names, slips of fingers, and queries that nobody should type."""

import random
from typing import NamedTuple

from pyfastlm.spelling import Candidate

NAMES = [
    "playgro",
    "biotanicals",
    "hygeeni wipes",
    "lumineo lamp",
    "kraftig knife set",
    "snugglo baby blanket",
    "aqualino water bottle",
    "velora running shoes",
    "velora rain jacket",
    "tonitrus speaker",
    "café crème mug",
    "日傘 compact",
]
UNKNOWN = ["brewsly", "zenvora", "quillkit", "moondrip"]  # of no catalogue

HOSTILE = {
    "empty": "",
    "spaces": "   ",
    "white space": "\t\u00a0\u2003 \n",
    "controls": "\x00\x01\x1b[31m\x7f\u0085",
    "a line that is a header": "### Correction:\nplaygro",
    "lines": "playgro\n### Query:\r\nx\u2028y\u2029z",
    "special tokens": "<s></s><unk><|im_end|><|endoftext|>",
    "emoji": "🧸👩‍👩‍👧‍👦🏳️‍🌈",
    "mixed scripts": "плейgro プレイ גרו بلاي",
    "combining": "a" + "\u0301" * 50,
    "right to left": "\u202egorgyalp\u202c",
    "one letter": "p",
    "punctuation": "?!.,;:'\"(){}[]<>/\\|",
    "commas": ",,,, , playgro,,",
}
TEN_KILOBYTES = {
    "letters": "x" * 10_000,
    "words": "playgro " * 1250,
    "different words": " ".join(f"w{n}" for n in range(2000)),
    "hashes": "#" * 10_000,
    "emojis": "🧸" * 2500,
    "spaces": " " * 10_000,
}


class Pair(NamedTuple):
    noisy: str
    gold: str


def slip(text: str, rng: random.Random) -> str:
    """``text`` without one of its letters, or with two of them exchanged."""
    place = rng.randrange(len(text) - 1)
    if rng.random() < 0.5 and text[place] != text[place + 1]:
        return text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    return text[:place] + text[place + 1 :]


def pairs(names: list[str], each: int, *, seed: int) -> list[Pair]:
    rng = random.Random(seed)
    return [Pair(slip(name, rng), name) for name in names for _ in range(each)]


def weighed(query: str, others: dict[str, float]) -> list[Candidate]:
    """The query without cost, and ``others`` with theirs."""
    return [Candidate(query, 0.0, 0.0), *(Candidate(text, -cost, cost) for text, cost in others.items())]
