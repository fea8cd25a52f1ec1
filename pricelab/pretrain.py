"""Training from scratch: the ``tiny`` base, its tokenizer and its weights, from the workshop catalog's text alone.

A byte-pair tokenizer that keeps digits apart and a small Llama-architecture model learn to continue product texts; they
never see a price. Ships in ``data/tiny-base`` so that every notebook runs anywhere in seconds. Notebook 04 explains it.

Notation: B blocks, T tokens a block.
"""

import math
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pricelab.catalog import load_catalog
from pricelab.files import cache_dir, sha256_of, write_json_atomic, write_text_atomic

VOCABULARY = 2048
END = "<|end|>"
BLOCK = 128  # tokens a training example
BATCH = 32  # examples a step
EPOCHS = 12
LEARNING_RATE = 3e-3
SHAPE = {
    "hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 4, "max_position_embeddings": 1024, "tie_word_embeddings": True,
}  # fmt: skip


def pretrain(out: str | Path, seed: int = 0, epochs: float = EPOCHS, progress: bool = True) -> dict[str, Any]:
    """Train the tiny base and save it with its tokenizer and a model card; returns the facts on the card.

    Raises:
        ValueError: ``out`` exists and is not empty.
    """
    import torch
    from transformers import set_seed

    folder = Path(out)
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty; give a new folder")
    set_seed(seed)
    catalog = load_catalog("workshop")
    tokenizer = train_tokenizer([item.text for item in catalog["train"]])
    model = new_model(tokenizer)
    blocks = {name: pack(tokenizer, [item.text for item in catalog[name]]) for name in ("train", "validation")}
    start = time.perf_counter()
    losses = _fit(model, blocks["train"], seed, epochs, progress)
    facts = {
        "parameters": model.num_parameters(), "seed": seed, "epochs": epochs, "catalog": catalog.fingerprint,
        "tokens": blocks["train"].numel(), "steps": len(losses), "seconds": round(time.perf_counter() - start),
        "loss_start": round(losses[0], 3), "loss_end": round(sum(losses[-20:]) / len(losses[-20:]), 3),
        "validation_loss": round(mean_loss(model, blocks["validation"]), 3),
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}",
    }  # fmt: skip
    _save(folder, model, tokenizer, losses, facts)
    return facts


def train_tokenizer(texts: Sequence[str], vocabulary: int = VOCABULARY) -> Any:
    """A byte-level byte-pair tokenizer trained on ``texts`` that writes each digit as a token of its own."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=END)


def new_model(tokenizer: Any, shape: dict[str, Any] | None = None) -> Any:
    """A Llama-architecture model with random weights for ``tokenizer``'s vocabulary."""
    from transformers import LlamaConfig, LlamaForCausalLM

    end = tokenizer.eos_token_id
    config = LlamaConfig(
        vocab_size=len(tokenizer), bos_token_id=None, eos_token_id=end, pad_token_id=end, **(shape or SHAPE)
    )
    return LlamaForCausalLM(config)


def pack(tokenizer: Any, texts: Sequence[str]) -> Any:
    """The texts as one stream of tokens, an end token after each, cut into blocks (B, T)."""
    import torch

    stream = [token for ids in tokenizer(list(texts))["input_ids"] for token in (*ids, tokenizer.eos_token_id)]
    whole = len(stream) // BLOCK * BLOCK
    return torch.tensor(stream[:whole]).view(-1, BLOCK)


def mean_loss(model: Any, blocks: Any) -> float:
    """Mean next-token loss over all blocks, in nats a token."""
    import torch

    with torch.no_grad():
        losses = [model(input_ids=part, labels=part).loss * len(part) for part in blocks.split(BATCH)]
    return float(torch.stack(losses).sum() / len(blocks))


def _fit(model: Any, blocks: Any, seed: int, epochs: float, progress: bool) -> list[float]:
    from transformers import PrinterCallback, Trainer, TrainingArguments

    from pricelab.progress import LossDisplay

    arguments = TrainingArguments(
        output_dir=str(cache_dir() / "pretrain"), num_train_epochs=epochs, per_device_train_batch_size=BATCH,
        learning_rate=LEARNING_RATE, lr_scheduler_type="cosine", warmup_steps=0.05, weight_decay=0.1, seed=seed,
        use_cpu=True, save_strategy="no", logging_steps=1, report_to="none", disable_tqdm=True,
        dataloader_pin_memory=False,
    )  # fmt: skip
    examples = [{"input_ids": block, "labels": block} for block in blocks]
    trainer = Trainer(model=model, args=arguments, train_dataset=examples)
    trainer.remove_callback(PrinterCallback)
    if progress:
        trainer.add_callback(LossDisplay())
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def _save(folder: Path, model: Any, tokenizer: Any, losses: list[float], facts: dict[str, Any]) -> None:
    import torch

    model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    facts["weights_sha256"] = sha256_of(folder / "model.safetensors")
    write_json_atomic(folder / "training.json", {**facts, "losses": [round(loss, 4) for loss in losses]})
    write_text_atomic(folder / "README.md", _card(facts))


def _card(facts: dict[str, Any]) -> str:
    rows = "\n".join(f"| {name.replace('_', ' ')} | {value} |" for name, value in facts.items())
    perplexity = math.exp(facts["validation_loss"])
    return f"""# tiny: a language model trained from scratch on product texts

Made by `pricelab pretrain --out DIR --seed {facts["seed"]}` from the text of the workshop catalog's train split, which
holds no prices. Llama architecture, bf16 weights, a byte-pair tokenizer of its own that writes one digit a token.
Licence: Apache-2.0, like pricelab.

**For**: running every notebook in seconds on any machine. **Not for**: anything else. It has read about
{facts["tokens"]:,} tokens of shop text and nothing of the world; its perplexity on unseen product texts is
{perplexity:.1f}.

| fact | value |
|---|---|
{rows}

Losses are in nats a token. The loss of every step is in `training.json`.
"""
