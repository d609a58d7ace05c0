"""A call of the model in this package's own terms, and what comes of it."""

from dataclasses import dataclass

from pyfastlm.together.segments import Free, Plan


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked of the model.

    Attributes:
        model_id: which weights.
        prompt: the whole text that the model reads, special tokens spelled out.
        plan: what the answer must look like.
        max_tokens: that the model may write itself; what is given or chosen does not count.
        field_tokens: the same for each single text that is written freely; None for no such limit. What
            follows a text that is cut is written all the same.
        temperature: 0 takes the likeliest each time.
        top_k, top_p: cuts of the tail, as in :class:`pyfastlm.lm.sampling.Sampling`.
        per_token: options are compared by the mean over their tokens, not by the sum.
        stop: texts that end the answer, without them.
        seed: of drawing; the same one draws the same answer.
        logprobs: how many likeliest alternatives to report with each token; None reports nothing.
    """

    model_id: str
    prompt: str
    plan: Plan = (Free(),)
    max_tokens: int = 256
    field_tokens: int | None = None
    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    per_token: bool = False
    stop: tuple[str, ...] = ()
    seed: str = ""
    logprobs: int | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """How one of a closed set of options was chosen.

    ``scores`` are the log-probabilities of the options (or their means per token), ``logprobs`` the same
    normalised over the options.
    """

    name: str
    option: str
    options: tuple[str, ...]
    scores: tuple[float, ...]
    logprobs: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """A token that the model wrote itself, its log-probability, and the likeliest ones with theirs."""

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model answered.

    Attributes:
        text: all of it, with what was given.
        finished: whether nothing was cut, by a limit or by the model's context.
        model_id: which weights answered.
        prompt_tokens: of the prompt.
        reused_tokens: of these, those whose keys and values came from the prefix cache.
        completion_tokens: of the text.
        given_tokens: of these, those that were forced or belong to a chosen option.
        choices: fields with a closed set of options, in order.
        cut: names of the fields that a limit cut.
        written: tokens with log-probabilities, if they were asked for.
    """

    text: str
    finished: bool
    model_id: str
    prompt_tokens: int
    reused_tokens: int
    completion_tokens: int
    given_tokens: int
    choices: tuple[Chosen, ...] = ()
    cut: tuple[str, ...] = ()
    written: tuple[Written, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """Sums over the calls of an engine; ``seconds`` in which it read or wrote.

    ``reused_tokens`` are those of the prompts whose keys and values came from the prefix cache;
    ``given_tokens`` those of the completions that were not drawn token by token.
    """

    calls: int = 0
    prompt_tokens: int = 0
    reused_tokens: int = 0
    completion_tokens: int = 0
    given_tokens: int = 0
    seconds: float = 0.0

    @property
    def reused_share(self) -> float:
        """Of the prompts' tokens; 0 without any."""
        return self.reused_tokens / max(1, self.prompt_tokens)

    def plus(self, answer: Answer) -> "Usage":
        """With one more call."""
        return Usage(
            self.calls + 1,
            self.prompt_tokens + answer.prompt_tokens,
            self.reused_tokens + answer.reused_tokens,
            self.completion_tokens + answer.completion_tokens,
            self.given_tokens + answer.given_tokens,
            self.seconds,
        )
