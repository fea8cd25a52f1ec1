"""Base models: loading with 4-bit or 16-bit weights, and the check that prices can be read.

`base_files` says how a base is named and where its files are. Introduced in notebook 00; what NF4 is comes in
notebook 06.
"""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pricelab import processes
from pricelab.base_files import locate
from pricelab.profiles import pick_device, pick_precision
from pricelab.prompt import number_tokens
from pricelab.quantised import check_widths
from pricelab.quieting import quiet

EAGER_UP_TO_TOKENS = 448  # `python -m benchmarks.attention` measures where the two ways cross


@dataclass(frozen=True)
class Base:
    """A loaded base model."""

    key: str  # as it was asked for
    revision: str  # what pins the weights: a hash of the files, or the hub's commit
    model: Any  # a causal language model of transformers
    tokenizer: Any
    device: str
    precision: str  # dtype of the arithmetic, and why
    quantisation: str | None  # "nf4" or None
    lock: Any = field(default_factory=threading.RLock, repr=False, compare=False)  # one caller at a time

    @property
    def parameters(self) -> int:
        """Number of the base's own weights, counting a 4-bit weight as one; adapters laid on it don't count."""
        return self.model.num_parameters() - sum(weight.numel() for weight in self._adapters())

    @property
    def megabytes(self) -> float:
        """Memory held by the base's own weights, in MB; adapters laid on it don't count."""
        adapters = sum(weight.numel() * weight.element_size() for weight in self._adapters())
        return (held_bytes(self.model) - adapters) / 1e6

    def _adapters(self) -> list[Any]:
        """The LoRA matrices that peft put inside the base's layers."""
        return [weight for name, weight in self.model.named_parameters() if "lora_" in name]


def held_bytes(model: Any) -> int:
    """Bytes of a model's weights with the scales of its 4-bit layers, which ``get_memory_footprint`` leaves out."""
    states = [state for weight in model.parameters() if (state := getattr(weight, "quant_state", None)) is not None]
    scales = [part for state in states for part in (state.absmax, *([state.state2.absmax] * state.nested))]
    return model.get_memory_footprint() + sum(part.nbytes for part in scales)


def load_tokenizer(place: str, revision: str = "main") -> Any:
    """The tokenizer at ``place``, ready to pad; `ValueError` when it writes prices with other tokens than digits."""
    from transformers import AutoTokenizer

    with quiet():
        # A description that spells out a special token is text, not a command.
        tokenizer = AutoTokenizer.from_pretrained(place, split_special_tokens=True, **_pin(place, revision))
    number_tokens(tokenizer)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_base(
    name: str, *, quantise: bool = False, master_weights: bool = False, revision: str | None = None,
    device: str | None = None, text_tokens: int | None = None, sharded: bool = False,
) -> Base:  # fmt: skip
    """Load a base model and its tokenizer.

    Args:
        name: a key, a folder, or a hub id.
        quantise: hold the linear layers in 4 bits (NF4 with double quantisation) through bitsandbytes.
        master_weights: hold the weights in fp32, as training all of them needs.
        revision: the hub commit to load; ignored for keys and folders.
        device: ``"cpu"`` or ``"cuda"``; by default the GPU when there is one.
        text_tokens: length of the longest texts to come, which decides between ways to compute attention; by default
            short ones.
        sharded: FSDP will share the weights out: until then they wait in the machine's memory, those in 4 bits, which a
            GPU makes, on it.

    Raises:
        ValueError: unknown name, unusable folder, a tokenizer that writes prices with other tokens than digits, or
            layers whose 4-bit rows this CPU reads back wrongly.
        ConnectionError: the weights have to be downloaded and could not be.
    """
    import torch
    from transformers import AutoModelForCausalLM

    place, commit = locate(name, revision)
    device = device or pick_device()
    dtype, why = pick_precision(device)
    tokenizer = load_tokenizer(place, commit)
    options: dict[str, Any] = {
        "dtype": torch.float32 if master_weights else dtype,
        "device_map": "cpu" if sharded and not quantise else processes.own_device(device),
    }
    if quantise:
        options["quantization_config"] = nf4(dtype, sharded)
    if attention := pick_attention(device, dtype, text_tokens):
        options["attn_implementation"] = attention
    with quiet():
        model = AutoModelForCausalLM.from_pretrained(place, use_safetensors=True, **_pin(place, commit), **options)
    if quantise and device == "cpu":
        check_widths(model, name)
        _keep_training_layout(model)
    model.generation_config = _plain_generation(tokenizer)
    precision = f"{str(dtype).removeprefix('torch.')} ({why})"
    return Base(name, commit, model, tokenizer, device, precision, "nf4" if quantise else None)


def pick_attention(device: str, dtype: Any, text_tokens: int | None = None) -> str | None:
    """transformers' name of the attention to compute with, for texts so long; None leaves it to transformers."""
    import torch

    # On a CPU the fused attention's backward pass is slow in bf16, and for short texts a step with it takes 1.1 to 1.2
    # times as long. Plain attention holds all T×T scores of each head, though, so long texts take the fused one.
    short = text_tokens is None or text_tokens <= EAGER_UP_TO_TOKENS
    return "eager" if device == "cpu" and dtype == torch.bfloat16 and short else None


def load_config(place: str, commit: str) -> Any:
    """The configuration of the model at ``place``, without its weights."""
    from transformers import AutoConfig

    with quiet():
        return AutoConfig.from_pretrained(place, **_pin(place, commit))


def nf4(compute_dtype: Any, sharded: bool = False) -> Any:
    """bitsandbytes' settings for QLoRA (arXiv 2305.14314): NF4, double quantisation, products in ``compute_dtype``.

    FSDP shares out floating-point numbers only, so then each of them is made to hold several weights.
    """
    import torch
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute_dtype,
        bnb_4bit_quant_storage=compute_dtype if sharded else torch.uint8,
    )


def _keep_training_layout(model: Any) -> None:
    # For inference on AVX-512 CPUs bitsandbytes repacks the weights: block scales lose precision, widths that are no
    # multiple of 64 fail, and batches get slower. Training and prediction shall see the same weights.
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def _plain_generation(tokenizer: Any) -> Any:
    # A model's own generation settings (sampling, penalties) would make answers differ between machines.
    from transformers import GenerationConfig

    return GenerationConfig(do_sample=False, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)


def _pin(place: str, commit: str) -> dict[str, str]:
    return {} if Path(place).is_dir() else {"revision": commit}
