"""Messages to the text that a model reads, by its chat template."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from pyfastlm.errors import InputError

ROLES = ("system", "user", "assistant")


class Message(NamedTuple):
    """``role`` is system, user or assistant."""

    role: str
    text: str


class Prompts:
    """The chat template of a tokenizer.

    Raises:
        InputError: it has none.
    """

    def __init__(self, tokenizer: Any) -> None:
        if not getattr(tokenizer, "chat_template", None):
            raise InputError("lm: its tokenizer has no chat template; set tokenizer.chat_template")
        self._tokenizer = tokenizer

    def prompt(self, messages: Sequence[Message]) -> str:
        """What the model reads before it answers.

        Raises:
            InputError: there is no message, a role is unknown, or the template refuses them.
        """
        if not messages:
            raise InputError("messages: expected at least one, got none")
        return self._shown(messages, True)

    def training(self, messages: Sequence[Message]) -> tuple[str, str]:
        """The prompt, and what the model should say then, with what ends it: the last message.

        Raises:
            InputError: that is not the assistant's, or as :meth:`prompt`.
        """
        if len(messages) < 2 or messages[-1].role != "assistant":
            raise InputError("messages: expected the assistant's as the last one of at least two")
        prompt, whole = self._shown(messages[:-1], True), self._shown(messages, False)
        if not whole.startswith(prompt):
            raise InputError("lm: its chat template changes a prompt when the answer is added")
        return prompt, whole[len(prompt) :]

    def _shown(self, messages: Sequence[Message], asks: bool) -> str:
        for message in messages:
            if message.role not in ROLES:
                raise InputError(f"messages: expected a role of {', '.join(ROLES)}, got {message.role!r}")
        rows = [{"role": message.role, "content": message.text} for message in messages]
        try:
            shown: str = self._tokenizer.apply_chat_template(rows, tokenize=False, add_generation_prompt=asks)
        except Exception as error:  # templates raise what they like
            raise InputError(f"messages: the chat template refuses them: {error}") from error
        return shown
