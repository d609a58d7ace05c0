"""Preference pairs: one prompt, two answers, and the forms in which others keep them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pyfastlm.errors import InputError, InputTypeError


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """Two answers to one prompt.

    Attributes:
        prompt: what was asked; may be empty.
        chosen: the better answer.
        rejected: the other one.
        rational: why it is better, in the reviser's words; the public data set spells the column like this.

    Raises:
        InputTypeError: a field is not a string.
        InputError: an answer is empty, or both are the same.
    """

    prompt: str
    chosen: str
    rejected: str
    rational: str = ""

    def __post_init__(self) -> None:
        for name in ("prompt", "chosen", "rejected", "rational"):
            if not isinstance(value := getattr(self, name), str):
                raise InputTypeError(f"{name}: expected a string, got {type(value).__name__}")
        for name in ("chosen", "rejected"):
            if not getattr(self, name):
                raise InputError(f"{name}: expected an answer, got an empty string")
        if self.chosen == self.rejected:
            raise InputError("rejected: expected another answer than chosen, got the same")


def from_rows(rows: Iterable[Mapping[str, Any]]) -> list[PreferencePair]:
    """Pairs from rows of the public CLAIR schema or of TRL's preference formats.

    Args:
        rows: mappings with ``chosen`` and ``rejected``, each a string, or messages (``role``, ``content``)
            of which the last is the assistant's. ``prompt``: a string, or messages that end with the user's;
            it may be missing where the messages of both answers begin with the user's. ``rational`` is
            optional. Other columns are ignored. Conversations of more than one turn have no place in a pair.

    Raises:
        InputError, InputTypeError: a row has another shape; the message gives its number.
    """
    found = []
    for number, row in enumerate(rows):
        try:
            found.append(_pair(row))
        except InputError as error:
            raise type(error)(f"rows[{number}]: {error}") from None
    return found


def to_clair(pairs: Iterable[PreferencePair]) -> Iterator[dict[str, Any]]:
    """Rows of the public CLAIR schema: prompt, chosen and rejected as [user, assistant] messages, reason."""
    for pair in pairs:
        yield {
            "prompt": pair.prompt,
            "chosen": [_message("user", pair.prompt), _message("assistant", pair.chosen)],
            "rejected": [_message("user", pair.prompt), _message("assistant", pair.rejected)],
            "rational": pair.rational,
        }


def to_trl(pairs: Iterable[PreferencePair], *, conversational: bool = True) -> Iterator[dict[str, Any]]:
    """Rows with the columns of TRL's preference trainers: prompt, chosen, rejected.

    Args:
        pairs: what to write.
        conversational: as lists of one message each, to which trainers apply the chat template; else as
            plain strings, whose tokens are joined as they are.
    """
    for pair in pairs:
        if conversational:
            yield {
                "prompt": [_message("user", pair.prompt)],
                "chosen": [_message("assistant", pair.chosen)],
                "rejected": [_message("assistant", pair.rejected)],
            }
        else:
            yield {"prompt": pair.prompt, "chosen": pair.chosen, "rejected": pair.rejected}


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _pair(row: Mapping[str, Any]) -> PreferencePair:
    if not isinstance(row, Mapping):
        raise InputTypeError(f"expected a mapping, got {type(row).__name__}")
    for name in ("chosen", "rejected"):
        if name not in row:
            raise InputError(f"expected the column {name!r}, got {sorted(map(str, row))}")
    asked = {name: _split(row[name], name) for name in ("chosen", "rejected")}
    prompts = {prompt for prompt, _ in asked.values() if prompt is not None}
    if row.get("prompt") is not None:
        given = row["prompt"]
        prompts.add(given if isinstance(given, str) else _content(given, "prompt", ("user",))[0])
    if len(prompts) != 1:
        raise InputError(
            f"prompt: expected one, got {len(prompts)}; give a column, or messages that begin with the user's"
            if not prompts
            else "prompt: expected the same in all columns, got different ones"
        )
    rational = row.get("rational")
    return PreferencePair(
        prompts.pop(), asked["chosen"][1], asked["rejected"][1], "" if rational is None else rational
    )


def _split(value: Any, name: str) -> tuple[str | None, str]:
    """The prompt, if the messages have one, and the answer."""
    if isinstance(value, str):
        return None, value
    if isinstance(value, list) and len(value) == 1:
        return None, _content(value, name, ("assistant",))[0]
    prompt, answer = _content(value, name, ("user", "assistant"))
    return prompt, answer


def _content(value: Any, name: str, roles: tuple[str, ...]) -> list[str]:
    """What the messages say, if they are of just these roles."""
    fits = isinstance(value, list) and len(value) == len(roles)
    if not fits or not all(isinstance(message, Mapping) for message in value):
        raise InputTypeError(
            f"{name}: expected a string or messages of {' and '.join(roles)}, got {value!r:.80}"
        )
    found = tuple(message.get("role") for message in value)
    if found != roles:
        raise InputError(f"{name}: expected messages of {' and '.join(roles)}, got {found}")
    for message in value:
        if not isinstance(message.get("content"), str):
            got = repr(message.get("content"))[:80]
            raise InputTypeError(f"{name}: expected text as the content, got {got}")
    return [message["content"] for message in value]
