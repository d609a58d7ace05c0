"""Labelled pages in a random order that only their contents and the seed decide, in bounded memory.

Pages go to one of ``SPILLS`` files by the first bits of a hash of their text; each file is then sorted by the
hash. Equal texts meet there, so that no text is both learned from and tested on.
"""

import hashlib
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

SPILLS = 64
_HEAD = struct.Struct("<QQII")  # hash of the text, hash of the page, domain, length of the text


class Example(NamedTuple):
    """A page of a domain: ``draw`` is uniform in [0, 1) and the same for all rows of a page."""

    domain: int
    draw: float
    text: str


@dataclass(slots=True)
class Drawn:
    """The pages in ``directory``.

    Attributes:
        domains: names, in the order of their first pages.
        pages: of each domain, also those that are left out below.
        duplicates: pages left out because another one has the same text.
        conflicts: pages left out because their text is in included and in excluded domains.
    """

    directory: Path
    domains: list[str] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)
    duplicates: int = 0
    conflicts: int = 0

    def examples(self, included: Sequence[bool]) -> Iterator[Example]:
        """Every text once, sorted by hash; ``included`` says of each domain whether it is."""
        self.duplicates = self.conflicts = 0
        for number in range(SPILLS):
            data = (self.directory / f"{number:02}.pages").read_bytes()
            held: list[tuple[int, str, int, int, int, int]] = []
            place = 0
            while place < len(data):
                text_hash, page_hash, domain, length = _HEAD.unpack_from(data, place)
                place += _HEAD.size
                held.append((text_hash, self.domains[domain], page_hash, domain, place, length))
                place += length
            held.sort()
            for group in _equal(held):
                if len({included[domain] for _, _, _, domain, _, _ in group}) > 1:
                    self.conflicts += len(group)
                    continue
                self.duplicates += len(group) - 1
                _, _, page_hash, domain, place, length = group[0]
                yield Example(domain, page_hash / 2**64, data[place : place + length].decode())


def draw(pages: Iterable[tuple[str, str, str | None]], directory: Path, seed: int) -> Drawn:
    """Put ``pages`` (domain, text in one line, id of the page or None) into files in ``directory``."""
    drawn = Drawn(directory)
    place: dict[str, int] = {}
    with ExitStack() as stack:
        files = [
            stack.enter_context(open(directory / f"{number:02}.pages", "wb")) for number in range(SPILLS)
        ]
        for domain, text, name in pages:
            index = place.setdefault(domain, len(place))
            if index == len(drawn.domains):
                drawn.domains.append(domain)
                drawn.pages.append(0)
            drawn.pages[index] += 1
            data = text.encode()
            text_hash = hash64(seed, data)
            page_hash = hash64(
                seed, b"" if name is None else domain.encode(), data if name is None else name.encode()
            )
            file = files[text_hash >> 58]
            file.write(_HEAD.pack(text_hash, page_hash, index, len(data)))
            file.write(data)
    return drawn


def hash64(seed: int, *fields: bytes) -> int:
    """64 bits of BLAKE2b over ``fields``, keyed by ``seed``."""
    digest = hashlib.blake2b(digest_size=8, key=str(seed).encode())
    for data in fields:
        # Lengths in front keep neighbouring fields apart.
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return int.from_bytes(digest.digest(), "little")


def _equal(
    held: list[tuple[int, str, int, int, int, int]],
) -> Iterator[list[tuple[int, str, int, int, int, int]]]:
    start = 0
    for end in range(1, len(held) + 1):
        if end == len(held) or held[end][0] != held[start][0]:
            yield held[start:end]
            start = end
