"""``pyfastlm memorize stress``: whether a sequence comes back from other prompts."""

from pyfastlm.cli.memorize_sequences import (
    KINDS,
    Horizon,
    Json,
    Model,
    Names,
    Prefix,
    Seed,
    Sequences,
    Shifts,
    SimilarWords,
    Substitutes,
    chosen,
    encoded,
    stress_columns,
    stress_dict,
)


def command(
    sequences: Sequences,
    model: Model,
    id: Names = None,
    prefix: Prefix = 32,
    horizon: Horizon = 64,
    shifts: Shifts = 16,
    similar_words: SimilarWords = None,
    substitutes: Substitutes = 4,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Put many prompts near the usual one to a model: shifted, longer and shorter ones, other words.

    Shown is the most tokens that greedy decoding reproduces of the true continuation, over all prompts of a
    kind.

    \b
    Example:
        pyfastlm memorize stress quotes.json -m run/checkpoint-000002000 --prefix 16
    """
    from pyfastlm.cli import show
    from pyfastlm.lm import load
    from pyfastlm.memorization import read_sequences, read_similar_words, stress_test

    read = chosen(read_sequences(sequences), id or [], "id")  # mistakes show before a model is loaded
    words = None if similar_words is None else read_similar_words(similar_words)
    lm = load(model)
    reports = {
        one.id: stress_test(
            lm,
            encoded(lm, one, prefix + 1, "prefix"),
            prefix,
            horizon,
            shifts=shifts,
            similar_words=words,
            substitutes=substitutes,
            seed=seed,
            progress=True,
        )
        for one in read
    }
    if json:
        show.as_json({"model": model, "sequences": {name: stress_dict(one) for name, one in reports.items()}})
        return
    show.table(
        f"Tokens given back of {horizon}, the most over all prompts",
        ["sequence", "prompts", *KINDS, "all"],
        [
            [name, f"{len(one.variants)}", *stress_columns(one), f"{one.longest}"]
            for name, one in reports.items()
        ],
    )
