"""``pyfastlm mrt5 generate``: what a model makes of texts."""

import sys
from typing import Annotated

import typer


def command(
    model: Annotated[
        str,
        typer.Argument(help="Directory of a model or of a training run, or a hub id.", show_default=False),
    ],
    texts: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXTS", help="Inputs; - for one a line from standard input.", show_default=False
        ),
    ],
    max_length: Annotated[int, typer.Option(min=1, help="Ids read of an input, EOS included.")] = 1024,
    max_new_bytes: Annotated[int, typer.Option(min=1, help="Length of an output.")] = 256,
    batch_size: Annotated[int, typer.Option(min=1, help="Texts run at once.")] = 8,
    int8: Annotated[
        bool, typer.Option("--int8", help="Weights of 8 bits: faster on a CPU, outputs may differ a little.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print inputs and outputs as JSON.")] = False,
) -> None:
    """Generate greedily, with hard deletion where the model has a gate; one line for each text.

    \b
    Example:
        pyfastlm mrt5 generate run 'teh cat sat on teh mat'
    """
    from pyfastlm.cli import show
    from pyfastlm.mrt5.answers import generate_text
    from pyfastlm.mrt5.loading import load_model
    from pyfastlm.mrt5.quantization import int8 as in_8_bits

    given = sys.stdin.read().splitlines() if texts == ["-"] else texts
    loaded = load_model(model)
    made = generate_text(
        in_8_bits(loaded) if int8 else loaded,
        given,
        max_length=max_length,
        max_new_bytes=max_new_bytes,
        batch_size=batch_size,
        progress=True,
    )
    if json:
        pairs = [{"input": text, "output": output} for text, output in zip(given, made, strict=True)]
        show.as_json({"model": model, "texts": pairs})
    else:
        for output in made:
            print(output)
