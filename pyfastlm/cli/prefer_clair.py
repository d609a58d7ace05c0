"""``pyfastlm prefer clair``: answers and their minimal revisions by a stronger model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pyfastlm.preference.asking import Reviser


def command(
    rows: Annotated[
        str,
        typer.Argument(help="JSON lines, {prompt, response} each; also .gz, .zst.", show_default=False),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Pairs, JSON lines {prompt, chosen, rejected, rational}; beside it, "
            "<stem>.rejected.jsonl says why other rows gave none.",
            show_default=False,
        ),
    ],
    reviser: Annotated[
        str, typer.Option(help="Hub id, directory, .gguf file, or smollm2; of an endpoint, its name there.")
    ] = "smollm2",
    endpoint: Annotated[
        str | None,
        typer.Option(help="Address of a server with OpenAI's chat completions, such as http://host:8000/v1."),
    ] = None,
    key_variable: Annotated[str, typer.Option(help="Environment variable with its key.")] = "OPENAI_API_KEY",
    concurrency: Annotated[int, typer.Option(min=1, help="Requests to it at once.")] = 8,
    requests_per_minute: Annotated[float | None, typer.Option(help="At most, to it.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds for one of its replies.")] = 120.0,
    retries: Annotated[int, typer.Option(min=0, help="Of a request that failed.")] = 5,
    target: Annotated[
        str | None,
        typer.Option(
            help="Model to be trained: the answers are drawn from it, and the rows need only prompts."
        ),
    ] = None,
    answer_tokens: Annotated[int, typer.Option(min=1, help="Of the target's answers at most.")] = 256,
    temperature: Annotated[
        float | None,
        typer.Option(help="Of the reviser.", show_default="0, the likeliest; 0.7 for an endpoint"),
    ] = None,
    proofread: Annotated[
        bool,
        typer.Option(
            "--proofread", help="Ask in a sentence for spelling and grammar alone; for small models."
        ),
    ] = False,
    max_tokens: Annotated[int, typer.Option(min=1, help="That the reviser writes at most.")] = 1024,
    batch_size: Annotated[int, typer.Option(min=1, help="Prompts at once, of models in this process.")] = 8,
    max_ratio: Annotated[float, typer.Option(help="Longest revision, as a multiple of the answer.")] = 3.0,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="File that keeps what was written; the same command goes on from there.",
            show_default="<output>.answers.jsonl",
        ),
    ] = None,
    prompt_key: Annotated[str, typer.Option(help="Where the prompt is in a line.")] = "prompt",
    response_key: Annotated[str, typer.Option(help="Where the answer is.")] = "response",
    limit: Annotated[int | None, typer.Option(min=1, help="How many rows, from the first on.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of draws by models in this process.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Build preference pairs: each answer is rejected, its minimal revision chosen. A stopped run goes on.

    \b
    Examples:
        pyfastlm prefer clair answers.jsonl -o pairs.jsonl
        pyfastlm prefer clair prompts.jsonl --target my-model --endpoint http://127.0.0.1:8000/v1 \\
            --reviser big-model -o pairs.jsonl
    """
    from pyfastlm.cli import show
    from pyfastlm.preference.builders import Row
    from pyfastlm.preference.files import read_prompts, read_rows, write_pairs
    from pyfastlm.preference.revising import Proofreader, clair

    if not output.parent.is_dir():
        raise typer.BadParameter(f"no such directory: {str(output.parent)!r}", param_hint="--output")
    kept = cache or output.with_name(f"{output.name}.answers.jsonl")
    if target is None:
        given = read_rows(rows, prompt_key=prompt_key, response_key=response_key)[:limit]
    else:
        prompts = read_prompts(rows, prompt_key=prompt_key)[:limit]
    # Of these the endpoint needs no torch, which takes seconds to load.
    writer: Reviser
    if endpoint is None:
        from pyfastlm.lm.sampling import Sampling
        from pyfastlm.preference.asking import HFReviser

        writer = HFReviser(
            reviser,
            sampling=Sampling(temperature) if temperature else None,
            seed=seed,
            max_new_tokens=max_tokens,
            batch_size=batch_size,
        )
    else:
        from pyfastlm.preference.asking import EndpointReviser

        writer = EndpointReviser(
            endpoint,
            reviser,
            key_variable=key_variable,
            temperature=0.7 if temperature is None else temperature,
            max_tokens=max_tokens,
            timeout=timeout,
            retries=retries,
            concurrency=concurrency,
            requests_per_minute=requests_per_minute,
        )
    unfinished = 0
    if target is not None:
        from pyfastlm.preference.asking import sample_answers

        answers = sample_answers(
            target,
            prompts,
            kept,
            seed=seed,
            max_new_tokens=answer_tokens,
            batch_size=batch_size,
            progress=True,
        )
        given = [Row(prompt, answer.text) for prompt, (answer,) in zip(prompts, answers, strict=True)]
        unfinished = sum(not answer.finished for (answer,) in answers)
    if proofread:
        writer = Proofreader(writer)
    found = clair(writer, given, kept, max_ratio=max_ratio, progress=True)
    write_pairs(found, output)
    if json:
        show.as_json(
            {
                "output": str(output),
                "cache": str(kept),
                "answers_cut_off": unfinished,
                **found.statistics.as_dict(),
            }
        )
        return
    show.table(
        f"{found.statistics.rows:,} answers revised by {reviser}",
        ["outcome", "rows", "share [95 %]"],
        found.statistics.cells(),
    )
    if unfinished:
        print(f"answers of {target} that were cut off at {answer_tokens:,} tokens: {unfinished:,}")
    print(f"pairs: {output}")
