"""Teach a language model to write the term after what was searched before and what was typed."""

import copy
import tempfile
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.lm.loading import LM, LMLike, as_lm, quiet
from pyfastlm.qac.prompts import completion, prompt
from pyfastlm.qac.query import query_of
from pyfastlm.qac.rows import Row


@dataclass(frozen=True, slots=True)
class FineTuned:
    """What came of it: ``lm`` with the adapter merged in, and the training's numbers.

    ``loss`` is the mean over the tokens of the terms, in nats, at each tenth of the steps.
    """

    lm: LM
    examples: int
    steps: int
    loss: tuple[float, ...]
    seconds: float


def finetune(
    lm: LMLike,
    rows: Iterable[Row],
    *,
    epochs: float = 1.0,
    lr: float = 5e-4,
    batch_size: int = 16,
    rank: int = 16,
    seed: int = 0,
    progress: bool = False,
) -> FineTuned:
    """Fine-tune with low-rank adapters on (earlier searches, prefix) -> term, by TRL and PEFT.

    Only the term's tokens count in the loss. The model then belongs in ``Generator(lm, typed=True)`` or
    ``SessionReranker(lm, typed=True)``.

    Args:
        lm: what to begin with; it is left as it is.
        rows: with one prefix each (:func:`pyfastlm.qac.one_prefix`), earlier than those to be judged by.
        epochs: passes over the rows.
        lr: of AdamW, falling to 0.
        batch_size: rows of a step.
        rank: of the adapters, which sit on all linear layers of the blocks.
        seed: of the order, and of the adapters.
        progress: show a bar on standard error.

    Raises:
        InputError: no row, or one with several prefixes.
        MissingExtra: TRL or PEFT is not installed.
    """
    trl, peft, datasets = (require(name, "qac") for name in ("trl", "peft", "datasets"))
    examples = []
    for row in rows:
        query = query_of(row)
        examples.append({"prompt": prompt(query.past, query.prefix), "completion": completion(row.term)})
    if not examples:
        raise InputError("rows: expected at least one, got none")
    given = as_lm(lm)
    model = copy.deepcopy(given.model)
    steps = max(1, round(epochs * len(examples) / batch_size))
    tokenizer = copy.deepcopy(given.tokenizer)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as directory, quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # names that these libraries are about to change
        trainer = trl.SFTTrainer(
            model,
            args=trl.SFTConfig(
                output_dir=directory,
                max_steps=steps,
                per_device_train_batch_size=batch_size,
                learning_rate=lr,
                lr_scheduler_type="linear",
                completion_only_loss=True,
                eos_token=None,
                seed=seed,
                logging_steps=max(1, steps // 10),
                save_strategy="no",
                report_to=[],
                disable_tqdm=not progress,
                use_cpu=model.device.type == "cpu",
                bf16=False,
                gradient_checkpointing=False,
                dataloader_pin_memory=False,
                max_length=None,
            ),
            train_dataset=datasets.Dataset.from_list(examples),
            processing_class=tokenizer,
            peft_config=peft.LoraConfig(
                r=rank,
                lora_alpha=2 * rank,
                lora_dropout=0.0,
                target_modules="all-linear",
                task_type="CAUSAL_LM",
            ),
        )
        trainer.train()
        losses = tuple(float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry)
        merged = trainer.model.merge_and_unload().eval()
    return FineTuned(
        LM(merged, given.tokenizer, f"{given.name}, fine-tuned"),
        len(examples),
        steps,
        losses,
        time.perf_counter() - started,
    )
