"""Names of domains and models as they are shown: files bring them, so they may hold anything."""


def shown(name: str, longest: int | None = None) -> str:
    """``name`` in one line of printable characters; cut where it is longer than ``longest``."""
    plain = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)
    return plain if longest is None or len(plain) <= longest else plain[: longest - 1] + "…"
