"""A server that speaks the protocol of OpenAI's chat completions as a writer."""

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from pyfastlm._require import require
from pyfastlm.errors import InputError, InputTypeError
from pyfastlm.preference.asking.completion import Completion
from pyfastlm.preference.asking.pace import Pace

# What reading a wrong reply raises.
MALFORMED = (ValueError, AttributeError, LookupError, TypeError, RecursionError)


class EndpointReviser:
    """Writes by asking a server; several requests at once, each tried again with growing pauses.

    Tried again are timeouts, lost connections, and the replies 408, 409, 429 and those from 500 on, by the
    client library openai, which also keeps to the server's Retry-After. A prompt that still fails has an
    error; a server that cannot be reached, or refuses the key or the model, ends the run.

    Args:
        base_url: of the server, such as "http://127.0.0.1:8000/v1".
        model: its name there.
        key_variable: environment variable with the key. The key is neither kept nor shown.
        temperature: of drawing; the paper's reviser has 0.7.
        max_tokens: of a text at most; a longer one is not finished.
        seed: sent along, where the server knows what to do with it.
        timeout: seconds for one reply.
        retries: after the first try.
        concurrency: requests at once.
        requests_per_minute: at most, tries counted; None for no limit.

    Raises:
        InputError: ``base_url`` is no address, a number is out of range, or the variable is not set.
        MissingExtra: openai is not installed.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        key_variable: str = "OPENAI_API_KEY",
        temperature: float = 0.7,
        max_tokens: int = 4096,
        seed: int | None = None,
        timeout: float = 120.0,
        retries: int = 5,
        concurrency: int = 8,
        requests_per_minute: float | None = None,
    ) -> None:
        self._openai: Any = require("openai", "preference")
        _check(
            base_url,
            temperature=temperature,
            max_tokens=max_tokens,
            timeout=timeout,
            retries=retries,
            concurrency=concurrency,
            requests_per_minute=requests_per_minute,
        )
        key = os.environ.get(key_variable)
        if not key:
            raise InputError(
                f"key_variable: the environment has no {key_variable!r}; set it to the key, or to any text "
                "for a server that asks for none"
            )
        self._key, self._pace = key, Pace(requests_per_minute)
        self.batch_size = 4 * concurrency
        self._concurrency = concurrency
        self._base_url, self._model = base_url, model
        self._timeout, self._retries = timeout, retries
        self._settings = {"temperature": temperature, "max_tokens": max_tokens} | (
            {} if seed is None else {"seed": seed}
        )

    @property
    def identity(self) -> str:
        """All that the texts depend on, as far as it is known here."""
        return json.dumps(["endpoint", self._base_url, self._model, self._settings], sort_keys=True)

    def __call__(self, prompts: list[str]) -> list[Completion]:
        """Ask for each prompt.

        Raises:
            InputError: the server cannot be reached, or refuses the key or the model.
        """
        openai = self._openai
        # What is sent again goes through the hook again.
        http = openai.DefaultHttpxClient(event_hooks={"request": [lambda _: self._pace.wait()]})
        with (
            openai.OpenAI(
                base_url=self._base_url,
                api_key=self._key,
                timeout=self._timeout,
                max_retries=self._retries,
                http_client=http,
            ) as client,
            ThreadPoolExecutor(self._concurrency) as pool,
        ):
            return [*pool.map(partial(self._one, client), prompts)]

    def _one(self, client: Any, prompt: str) -> Completion:
        openai = self._openai
        tries = f"tried {self._retries + 1} times"
        try:
            reply = client.chat.completions.create(
                model=self._model, messages=[{"role": "user", "content": str(prompt)}], **self._settings
            )
            (choice,) = reply.choices
            text = choice.message.content
            if not isinstance(text, str | None):
                raise TypeError("its content is no text")
            return Completion(text or "", choice.finish_reason not in ("length", "content_filter"))
        except openai.APITimeoutError:
            return Completion("", error=f"no reply within {self._timeout:g} s, {tries}")
        except openai.APIConnectionError as error:
            if type(error.__cause__).__name__ != "ConnectError":  # of the HTTP library that openai uses
                return Completion("", error=f"a reply that breaks off, {tries}")
            raise InputError(
                f"base_url: cannot reach {self._base_url!r} ({error.__cause__ or error}), {tries}; "
                "what was answered before is kept"
            ) from error
        except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
            raise InputError(f"base_url: {self._base_url!r} refuses: {_said(error)}") from error
        except openai.APIStatusError as error:
            return Completion("", error=_said(error))
        except (openai.OpenAIError, *MALFORMED) as error:
            return Completion("", error=f"a malformed reply: {_line(error)}")


LIMITS: dict[str, tuple[Callable[[float], bool], str]] = {
    "temperature": (lambda x: 0 <= x < float("inf"), "a finite number >= 0"),
    "max_tokens": (lambda x: x >= 1 and float(x).is_integer(), "a whole number >= 1"),
    "timeout": (lambda x: 0 < x < float("inf"), "a finite number > 0"),
    "retries": (lambda x: x >= 0 and float(x).is_integer(), "a whole number >= 0"),
    "concurrency": (lambda x: x >= 1 and float(x).is_integer(), "a whole number >= 1"),
    "requests_per_minute": (lambda x: x > 0, "a number > 0, or None"),
}


def _check(base_url: str, **numbers: float | None) -> None:
    if urlsplit(base_url).scheme not in ("http", "https") or not urlsplit(base_url).netloc:
        raise InputError(f"base_url: expected http://... or https://..., got {base_url!r}")
    for name, value in numbers.items():
        right, expected = LIMITS[name]
        if value is None and name == "requests_per_minute":
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputTypeError(f"{name}: expected {expected}, got {value!r}")
        if not right(value):
            raise InputError(f"{name}: expected {expected}, got {value}")


def _said(error: Any) -> str:
    return f"{error.status_code} {_line(error)}"


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
