"""The bytes that each token of a tokenizer stands for: what holds text to a form while it is written."""

from typing import Any

from pyfastlm.errors import InputError

SPACE = "▁"  # SentencePiece's


def token_bytes(tokenizer: Any) -> list[bytes | None]:
    """The bytes of each id; None for special tokens, and for ids that stand for nothing.

    Knows byte-level BPE (GPT-2, Llama 3, SmolLM) and SentencePiece with byte fallback (Llama 2, Gemma).

    Raises:
        InputError: the tokenizer is of another kind.
    """
    special = set(tokenizer.all_special_ids) | {
        id for id, added in getattr(tokenizer, "added_tokens_decoder", {}).items() if added.special
    }
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    read = _byte_level if _is_byte_level(tokenizer) else _sentencepiece
    found: list[bytes | None] = []
    for number, token in enumerate(tokens):
        found.append(None if token is None or number in special else read(token))
    if not any(found):
        raise InputError(
            "lm: the bytes of its tokens are not known; use a byte-level or SentencePiece tokenizer"
        )
    return found


def _is_byte_level(tokenizer: Any) -> bool:
    # Spelled as byte-level BPE spells it: a space is moved out of the way to this letter.
    return "Ġ" in "".join(tokenizer.tokenize(" a a"))


def _byte_level(token: str) -> bytes | None:
    try:
        return bytes(BYTES[letter] for letter in token)
    except KeyError:
        return token.encode()  # added as plain text


def _sentencepiece(token: str) -> bytes | None:
    if len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
        return bytes([int(token[3:5], 16)])
    return token.replace(SPACE, " ").encode()


def _byte_letters() -> dict[str, int]:
    """GPT-2's letters for bytes: printable ones stand for themselves, the others are moved to 256 and on."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    moved = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + place): byte for place, byte in enumerate(moved)}


BYTES = _byte_letters()
