"""Arguments that several commands of ``pyfastlm ir`` share."""

from pathlib import Path
from typing import Annotated

import typer

RATE, EPOCHS, NEGATIVES = 2e-4, 3, 3  # as of RerankerOptions and SearchOptions

Task = Annotated[
    str,
    typer.Argument(
        help="BIRCO file (.json, .json.gz), or a directory of Cranfield, BEIR or WordNet.", show_default=False
    ),
]
Lm = Annotated[str, typer.Option(help="Hub id, directory, .gguf file, or smollm2.")]
CacheFile = Annotated[
    Path | None,
    typer.Option("--cache", help="File that keeps what the model wrote.", show_default=False),
]
Base = Annotated[str, typer.Option(help="Encoder to begin with: hub id, directory, or minilm.")]
Loss = Annotated[str, typer.Option(help="infonce, ranknet, listnet or lambdarank.")]
Rate = Annotated[float, typer.Option("--lr", help="Learning rate at its highest.")]
Epochs = Annotated[int, typer.Option(min=1, help="Times that each query is seen.")]
MaxLength = Annotated[int, typer.Option(min=8, help="Tokens of query and document.")]
Negatives = Annotated[int, typer.Option(min=1, help="Of each query, out of BM25's list.")]
Depth = Annotated[
    int | None,
    typer.Option(min=1, help="Rerank only the best of BM25, so many.", show_default="all candidates"),
]
Seed = Annotated[int, typer.Option(min=0, help="Of what is drawn, and of training.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
