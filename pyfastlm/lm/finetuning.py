"""Teach a causal language model to complete prompts, with low-rank adapters."""

import contextlib
import copy
import tempfile
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from pyfastlm._require import require
from pyfastlm.errors import InputError
from pyfastlm.lm.head import linear_head
from pyfastlm.lm.loading import LM, LMLike, as_lm, quiet
from pyfastlm.lm.next_token import causal_loss


class Example(NamedTuple):
    """What the model reads, and what it should write then."""

    prompt: str
    completion: str


@dataclass(frozen=True, slots=True)
class FineTuned:
    """What came of it: ``lm`` with the adapter merged in, and the training's numbers.

    ``loss`` is the mean over the tokens of the completions, in nats, at each tenth of the steps.
    """

    lm: LM
    examples: int
    steps: int
    loss: tuple[float, ...]
    seconds: float


def finetune(
    lm: LMLike,
    examples: Iterable[Example],
    *,
    extra: str,
    epochs: float = 1.0,
    lr: float = 5e-4,
    batch_size: int = 16,
    rank: int = 16,
    seed: int = 0,
    progress: bool = False,
) -> FineTuned:
    """Fine-tune with low-rank adapters on prompts with their completions, by TRL and PEFT.

    Only the completions' tokens count in the loss.

    Args:
        lm: what to begin with; it is left as it is.
        examples: any iterable; it is read whole.
        extra: of pyfastlm that brings TRL and PEFT to the caller, for the error where they are missing.
        epochs: passes over the examples.
        lr: of AdamW, falling to 0.
        batch_size: examples of a step.
        rank: of the adapters, which sit on all linear layers of the blocks.
        seed: of the order, and of the adapters.
        progress: show a bar on standard error.

    Raises:
        InputError: there is no example.
        MissingExtra: TRL or PEFT is not installed.
    """
    trl, peft, datasets = (require(name, extra) for name in ("trl", "peft", "datasets"))
    rows = [{"prompt": prompt, "completion": completion} for prompt, completion in examples]
    if not rows:
        raise InputError("examples: expected at least one, got none")
    given = as_lm(lm)
    model = copy.deepcopy(given.model)
    steps = max(1, round(epochs * len(rows) / batch_size))
    tokenizer = copy.deepcopy(given.tokenizer)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    started = time.perf_counter()
    silent = contextlib.nullcontext() if progress else _without_bars(datasets)
    with tempfile.TemporaryDirectory() as directory, quiet(), silent, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # names that these libraries are about to change
        trainer = _trainer(trl)(
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
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=tokenizer,
            peft_config=peft.LoraConfig(
                r=rank,
                lora_alpha=2 * rank,
                lora_dropout=0.0,
                target_modules="all-linear",
                task_type="CAUSAL_LM",
            ),
        )
        trainer.remove_callback(require("transformers", extra).PrinterCallback)  # it writes to stdout
        trainer.train()
        losses = tuple(float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry)
        merged = trainer.model.merge_and_unload().eval()
        vars(merged).pop("forward", None)  # accelerate's, with which a copy would read this model's weights
    return FineTuned(
        LM(merged, given.tokenizer, f"{given.name}, fine-tuned"),
        len(rows),
        steps,
        losses,
        time.perf_counter() - started,
    )


def _trainer(trl: Any) -> Any:
    """The trainer, whose last projection looks at the tokens of completions only: a few of a hundred."""

    class Trainer(trl.SFTTrainer):  # type: ignore[misc]
        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            bare = self.accelerator.unwrap_model(model).get_base_model()
            head = linear_head(bare)
            if head is None or return_outputs or bare.get_decoder() is bare:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            hidden = bare.get_decoder()(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False
            ).last_hidden_state
            return causal_loss(head, hidden, inputs["labels"], num_items_in_batch)

    return Trainer


@contextlib.contextmanager
def _without_bars(datasets: Any) -> Iterator[None]:
    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()
