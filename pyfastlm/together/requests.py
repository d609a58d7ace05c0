"""Requests of DSPy's engine interface to calls, and answers to its responses."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.together import chat_fields, json_fields
from pyfastlm.together.answers import Answer, Call
from pyfastlm.together.prompts import Message
from pyfastlm.together.segments import Free, Plan

if TYPE_CHECKING:
    from pyfastlm.together.engine import HFEngine

_UNSUPPORTED = (
    "tool_choice",
    "reasoning",
    "frequency_penalty",
    "presence_penalty",
    "service_tier",
    "store",
    "extensions",
)
_ROLES = {"developer": "system"}


def complete(engine: "HFEngine", request: Any) -> Any:
    """A ``dspy.lm15.Response`` to a ``dspy.lm15.Request``.

    Its ``provider_data`` tell which weights answered (``weights``, their hash), what decided about the form
    of the answer (``form``), how many of its tokens were given (``given_tokens``), which fields a limit cut
    (``cut``), and what closed fields were chosen by (``choices``). Log-probabilities, if they are asked for,
    are those of the tokens that the model wrote, with the one that ended a text.

    Raises:
        dspy.lm15.LM15Error: it asks for what cannot be done, or there are no such weights.
    """
    lm15 = require("dspy.lm15", "together")
    require("dspy.clients.engines.base", "together").validate_request(request)
    try:
        form, plan = _form(engine, request)
        call = _call(engine, request, plan)
        answer = engine.answers([call])[0]
    except InputError as error:
        raise lm15.InvalidRequestError(str(error)) from error
    return _response(engine, lm15, request, answer, form)


def stream(engine: "HFEngine", request: Any) -> Iterator[Any]:
    """The events of :func:`complete`."""
    lm15 = require("dspy.lm15", "together")
    yield from lm15.response_to_events(complete(engine, request))


def messages(request: Any) -> list[Message]:
    """Texts of a request; anything else in it is an error."""
    lm15 = require("dspy.lm15", "together")
    found = []
    if request.system is not None:
        parts = request.system
        text = parts if isinstance(parts, str) else "".join(_text(part, lm15) for part in parts)
        found.append(Message("system", text))
    for message in request.messages:
        text = "".join(_text(part, lm15) for part in message.parts)
        found.append(Message(_ROLES.get(message.role, message.role), text))
    return found


def _text(part: Any, lm15: Any) -> str:
    if not isinstance(part, lm15.TextPart):
        raise lm15.UnsupportedFeatureError(f"this engine reads text, not {type(part).__name__}")
    text: str = part.text
    return text


def _form(engine: "HFEngine", request: Any) -> tuple[str, Plan]:
    """What decides about the form of the answer, and the plan that follows from it."""
    wanted = request.config.response_format
    if not engine.settings.prefill:
        if wanted is not None:
            lm15 = require("dspy.lm15", "together")
            raise lm15.UnsupportedFeatureError("response_format needs an engine with prefill=True")
        return "free", (Free(),)
    if wanted is not None:
        return wanted["type"], json_fields.plan(wanted)
    given = messages(request)
    system = given[0].text if given[0].role == "system" else ""
    asked = chat_fields.fields(system, given[-1].text)
    return ("chat fields", chat_fields.plan(asked)) if asked else ("free", (Free(),))


def _call(engine: "HFEngine", request: Any, plan: Plan) -> Call:
    lm15 = require("dspy.lm15", "together")
    config = request.config
    wrong = [name for name in _UNSUPPORTED if getattr(config, name, None)]
    if wrong or request.tools or config.probabilities == "required":
        what = wrong[0] if wrong else "tools" if request.tools else "probabilities"
        raise lm15.UnsupportedFeatureError(f"this engine has no {what}")
    return engine.call(
        messages(request),
        plan=plan,
        model_id=request.model,
        max_tokens=config.max_tokens,
        temperature=config.temperature or 0.0,
        top_k=config.top_k,
        top_p=config.top_p,
        stop=config.stop,
        seed=config.seed,
        logprobs=config.logprobs,
    )


def _response(engine: "HFEngine", lm15: Any, request: Any, answer: Answer, form: str) -> Any:
    logprobs = None
    if request.config.logprobs is not None:
        text = engine.tokenizer.spelled
        logprobs = [
            lm15.TokenLogprob(
                text(each.token),
                each.logprob,
                token_id=each.token,
                top=[lm15.TopLogprob(text(token), logp, token_id=token) for token, logp in each.top],
            )
            for each in answer.written
        ]
    data = {
        "weights": engine.weights.hash(answer.model_id),
        "form": form,
        "given_tokens": answer.given_tokens,
        "cut": list(answer.cut),
        "choices": {
            chosen.name: dict(zip(chosen.options, chosen.logprobs, strict=True)) for chosen in answer.choices
        },
    }
    return lm15.Response(
        id=None,
        model=request.model,
        message=lm15.Message.assistant([lm15.TextPart(answer.text)]),
        finish_reason="stop" if answer.finished else "length",
        usage=lm15.Usage(
            input_tokens=answer.prompt_tokens,
            output_tokens=answer.completion_tokens,
            cache_read_tokens=answer.reused_tokens,
        ),
        logprobs=logprobs,
        logprobs_complete=not answer.given_tokens,
        provider_data=data,
    )
