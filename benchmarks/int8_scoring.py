"""SmolLM2-135M in 8 bits beside its float32: what it costs in bits per byte, and what it saves in time.

    python benchmarks/int8_scoring.py [--documents 504] [--median-bytes 1000] [--timed 56] [--rounds 3]
        [--llama FILE.gguf ...] [--only PEER ...]

Documents of log-normal length in 14 languages and scripts. All are scored as the model is and in 8 bits;
some of them, spread over all languages, by every peer in turns, round after round: transformers, one document
at a time and in buckets by length of 1,024 tokens with a head in chunks; the same model after torch's dynamic
quantisation; pyfastlm; and llama.cpp on files in its own formats, if llama-cpp-python is installed.
Run it with OMP_NUM_THREADS=1 and PYTHONPATH=tests: processor time of one thread, because machines are shared.
Writes benchmarks/results/int8_scoring.json.
"""

import argparse
import copy
import itertools
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import corpus
import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats import spearmanr
from torch import Tensor

from pyfastlm.cli import show
from pyfastlm.lm import LM, Scorer, load
from pyfastlm.ops._int8 import native_sum_bits

OURS = "pyfastlm, int8"
RESULTS = Path(__file__).parent / "results" / "int8_scoring.json"
BANDS = (0, 20, 50, 100, 200, 500, 1000, 10**9)  # tokens of a document


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--documents", type=int, default=504)
    parser.add_argument("--median-bytes", type=float, default=1000.0)
    parser.add_argument("--timed", type=int, default=56, help="documents that every peer scores")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--llama", type=Path, nargs="*", default=[], help="files for llama.cpp")
    parser.add_argument(
        "--only", nargs="*", help="time these peers once more, beside ours in 8 bits; nothing else"
    )
    given = parser.parse_args()
    torch.set_num_threads(1)
    os.environ["PYFASTLM_NUM_THREADS"] = "1"
    texts = corpus.documents(given.documents, median_bytes=given.median_bytes, sigma=0.8)
    lm = load("smollm2")
    some = texts[:: len(texts) // given.timed][: given.timed]
    if given.only is not None:
        again = {"date": time.strftime("%Y-%m-%d"), "timed": given.timed, "rounds": given.rounds}
        again["peers"] = timed(lm, some, given.rounds, given.llama, [*given.only, OURS])
        RESULTS.write_text(json.dumps(json.loads(RESULTS.read_text()) | {"again": again}, indent=1) + "\n")
        return
    accuracy = compared(lm, texts)
    speed = timed(lm, some, given.rounds, given.llama)
    found = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "torch": torch.__version__,
        "sum_bits": native_sum_bits(),
        "documents": len(texts),
        "median_bytes": given.median_bytes,
        **accuracy,
        "timed": given.timed,
        "rounds": given.rounds,
        "peers": speed,
    }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


def compared(lm: LM, texts: list[str]) -> dict[str, Any]:
    """Bits of every document by both, all together and by length."""
    exact, int8 = (
        [each.logp for each in Scorer(lm, precision=precision).token_logp(texts, progress=True)]
        for precision in ("model", "int8")
    )
    tokens = np.array([len(each) for each in exact])
    sizes = np.array([len(text.encode()) for text in texts])
    bits = np.array([[-each.sum(dtype=np.float64) / np.log(2) for each in run] for run in (exact, int8)])
    errors = np.abs(np.concatenate(exact) - np.concatenate(int8))
    differences = bits[1] / bits[0] - 1
    rows = []
    for low, high in [(0, 10**9), *itertools.pairwise(BANDS)]:
        chosen = differences[(tokens >= low) & (tokens < high)]
        if len(chosen):
            rows.append(
                {
                    "tokens": [low, high],
                    "documents": len(chosen),
                    "mean": float(chosen.mean()),
                    "p95": float(np.quantile(np.abs(chosen), 0.95)),
                }
            )
    columns = ["tokens", "documents", "mean difference", "95 % are below"]
    cells = [
        [f"{r['tokens'][0]}-{r['tokens'][1]}", str(r["documents"]), f"{r['mean']:+.2%}", f"{r['p95']:.2%}"]
        for r in rows
    ]
    show.table("Bits per byte in 8 bits, relative to float32", columns, cells)
    summary = {
        "tokens": int(tokens.sum()),
        "bits_per_byte": [float(each.sum() / sizes.sum()) for each in bits],
        "spearman": float(spearmanr(*(bits / sizes)).statistic),
        "error_per_token": float(errors.mean()),
    }
    print(summary)
    return {**summary, "by_length": rows}


def timed(
    lm: LM, texts: list[str], rounds: int, files: list[Path], only: list[str] | None = None
) -> list[dict[str, Any]]:
    """Processor seconds of every peer, in turns; and how far it is from the model's own scores."""
    sequences = [torch.tensor([lm.tokenizer.bos_token_id, *lm.tokenizer.encode(text)]) for text in texts]
    exact, int8 = Scorer(lm), Scorer(lm, precision="int8")
    quantised = copy.deepcopy(lm.model)
    torch.ao.quantization.quantize_dynamic(quantised, {torch.nn.Linear}, inplace=True)
    peers: dict[str, Callable[[], list[float]]] = {
        "transformers, one at a time": lambda: one_at_a_time(lm.model, sequences),
        "transformers, sorted buckets": lambda: sorted_buckets(lm.model, sequences),
        "torch dynamic int8, one at a time": lambda: one_at_a_time(quantised, sequences),
        "pyfastlm": lambda: [score.logp for score in exact.rolling(texts)],
        OURS: lambda: [score.logp for score in int8.rolling(texts)],
    }
    for file in files:
        peers[f"llama.cpp, {file.stem}"] = llama(file, sequences)
    peers = {name: score for name, score in peers.items() if only is None or name in only}
    seconds: dict[str, list[float]] = {name: [] for name in peers}
    scores: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, score in peers.items():
            started = time.process_time()
            with torch.inference_mode():
                scores[name] = score()
            seconds[name].append(time.process_time() - started)
    tokens = sum(len(sequence) - 1 for sequence in sequences)
    truth = np.array(next(iter(scores.values())))
    ours = seconds[OURS]
    rows = []
    for name, of in seconds.items():
        difference = np.array(scores[name]) / truth - 1
        rows.append(
            {
                "peer": name,
                "tokens_per_second": tokens / min(of),
                "int8_is_faster": [min(of) / min(ours), median(of) / median(ours)],
                "mean": float(difference.mean()),
                "p95": float(np.quantile(np.abs(difference), 0.95)),
            }
        )
    columns = ["", "tokens/s", "times that of int8, best / median", "mean difference", "95 % are below"]
    cells = [
        [
            row["peer"],
            f"{row['tokens_per_second']:,.0f}",
            "{:.2f} / {:.2f}".format(*row["int8_is_faster"]),
            f"{row['mean']:+.2%}",
            f"{row['p95']:.2%}",
        ]
        for row in rows
    ]
    show.table(f"{len(texts)} documents, {tokens:,} tokens, {rounds} rounds", columns, cells)
    return rows


def one_at_a_time(model: Any, sequences: list[Tensor]) -> list[float]:
    """The plain loop: full logits, no padding."""
    return [
        -float(F.cross_entropy(model(row[None, :-1], use_cache=False).logits[0], row[1:], reduction="sum"))
        for row in sequences
    ]


def sorted_buckets(model: Any, sequences: list[Tensor], budget: int = 1024) -> list[float]:
    """Documents of about one length together, padding left out before the head."""
    found = [0.0] * len(sequences)
    order = sorted(range(len(sequences)), key=lambda i: -len(sequences[i]))
    while order:
        count = max(1, budget // len(sequences[order[0]]))
        batch, order = order[:count], order[count:]
        padded = torch.nn.utils.rnn.pad_sequence(
            [sequences[i] for i in batch], batch_first=True, padding_value=-100
        )
        hidden = model.model(padded[:, :-1].clamp(min=0), use_cache=False).last_hidden_state
        targets = padded[:, 1:]
        real = targets != -100
        losses = torch.zeros(targets.shape)
        parts = zip(hidden[real].split(512), targets[real].split(512), strict=True)
        losses[real] = torch.cat([F.cross_entropy(model.lm_head(h), t, reduction="none") for h, t in parts])
        for i, row in zip(batch, losses, strict=True):
            found[i] = -float(row.sum())
    return found


def llama(file: Path, sequences: list[Tensor]) -> Callable[[], list[float]]:
    """llama.cpp's own kernels, one document at a time, logits of all tokens."""
    from llama_cpp import Llama

    longest = max(len(row) for row in sequences)
    model = Llama(
        str(file), n_ctx=longest, n_batch=longest, n_ubatch=longest, n_threads=1, n_threads_batch=1,
        logits_all=True, verbose=False,
    )  # fmt: skip

    def score() -> list[float]:
        found = []
        for row in sequences:
            model.reset()
            model.eval(row[:-1].tolist())
            logits = torch.from_numpy(model.scores[: len(row) - 1])
            found.append(-float(F.cross_entropy(logits, row[1:], reduction="sum")))
        return found

    return score


if __name__ == "__main__":
    main()
