"""What a score is held against: destroyed text, noise, and coders that know no language."""

import math
import random
import zlib
from collections import Counter
from collections.abc import Iterable

from pyfastlm.demo.texts import Collection, Document, Source

PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
# No model can spend fewer bits on average: the characters are independent and equally likely.
NOISE_BITS = math.log2(len(PRINTABLE))
NOISE_BYTES = 256  # in each document of noise


def controls(english: Source, noise: int, seed: int) -> Collection:
    """The documents of ``english``, their words shuffled, and ``noise`` documents of random characters."""
    mixed = random.Random(f"{seed} shuffle")
    drawn = random.Random(f"{seed} noise")
    shuffled = (Document(d.key, shuffled_words(d.text, mixed)) for d in english.documents)
    random_ones = (
        Document(f"noise {n}", "".join(drawn.choices(PRINTABLE, k=NOISE_BYTES))) for n in range(1, noise + 1)
    )
    return Collection(
        "control",
        "Controls",
        f"The English documents with their words shuffled, and {NOISE_BYTES} random characters a document",
        False,
        (
            Source("shuffled English", "en", tuple(shuffled)),
            Source("random ASCII", "zxx", tuple(random_ones)),
        ),
    )


def shuffled_words(text: str, rng: random.Random) -> str:
    """The words of ``text`` in random order, one space between two."""
    words = text.split()
    rng.shuffle(words)
    return " ".join(words)


def zlib_bits_per_byte(texts: Iterable[str]) -> float:
    """Bits that zlib at level 9 (the coder of gzip) needs for each byte of all ``texts`` in one stream."""
    data = "".join(texts).encode()
    return 8 * len(zlib.compress(data, 9)) / len(data)


def byte_entropy(texts: Iterable[str]) -> float:
    """Entropy in bits of the bytes of ``texts`` without context: the least for a code of single bytes."""
    data = "".join(texts).encode()
    return -sum(n / len(data) * math.log2(n / len(data)) for n in Counter(data).values())
