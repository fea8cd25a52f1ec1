"""Shapes of Llama-architecture models and what can be counted from them: parameters and LoRA's share.

Introduced in notebook 01. Notation: hidden size d, feed-forward width f, L layers, vocabulary V, LoRA rank r.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pricelab.costs.units import human_number

SMALLEST, LARGEST = 1e6, 1e12  # parameters
VOCABULARIES = ((5e6, 2048), (3e7, 8192), (2e9, 49_152), (LARGEST, 128_256))  # of models up to so many parameters
UNTIED_FROM = 4e9  # parameters: below, an own head would be a large share
LLAMA_LIKE = ("llama", "mistral", "qwen3", "smollm3")  # transformers' model types with these very parts
ALL_LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")  # by transformers' names
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")


@dataclass(frozen=True)
class Shape:
    """Sizes of a Llama-architecture model: grouped-query attention, SwiGLU, RMSNorm, no biases."""

    name: str
    hidden: int  # d, width of the residual stream
    intermediate: int  # f, width of the feed-forward layers
    layers: int  # L
    heads: int  # query heads
    kv_heads: int  # key and value heads
    vocabulary: int  # V
    tied: bool  # the head shares the embedding's weights
    head_dim: int = 0  # width of one head; 0 stands for hidden / heads
    qk_norm: bool = False  # an RMSNorm on each query and key head, as in Qwen3

    def __post_init__(self) -> None:
        if not self.head_dim:
            object.__setattr__(self, "head_dim", self.hidden // self.heads)
        for name in ("hidden", "intermediate", "layers", "heads", "kv_heads", "vocabulary", "head_dim"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)!r}")
        if self.heads % self.kv_heads:
            raise ValueError(f"{self.heads} query heads cannot share {self.kv_heads} key heads; give a divisor")

    @property
    def matrices(self) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of each linear layer of one block, by transformers' names."""
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        d, f = self.hidden, self.intermediate
        return {
            "q_proj": (d, queries), "k_proj": (d, keys), "v_proj": (d, keys), "o_proj": (queries, d),
            "gate_proj": (d, f), "up_proj": (d, f), "down_proj": (f, d),
        }  # fmt: skip

    @property
    def linear(self) -> int:
        """Weights of the blocks' linear layers: what LoRA can adapt and NF4 quantises."""
        return self.layers * sum(inputs * outputs for inputs, outputs in self.matrices.values())

    @property
    def embedding(self) -> int:
        """Weights of the token embedding, V·d; the head has as many, its own unless ``tied``."""
        return self.vocabulary * self.hidden

    @property
    def norms(self) -> int:
        """Weights of all RMSNorms."""
        return self.layers * (2 * self.hidden + 2 * self.head_dim * self.qk_norm) + self.hidden

    @property
    def without_embeddings(self) -> int:
        """Parameters without embedding and head."""
        return self.linear + self.norms

    @property
    def parameters(self) -> int:
        """All parameters, each once."""
        return self.without_embeddings + self.embedding * (1 if self.tied else 2)

    @property
    def multiplied(self) -> int:
        """Weights that every token is multiplied with: linear layers and head; the N of 6·N·D."""
        return self.linear + self.embedding

    def lora_parameters(self, rank: int, targets: tuple[str, ...] = ALL_LINEAR) -> int:
        """Weights of LoRA adapters of ``rank`` on ``targets``: r·(in + out) summed over layers (arXiv 2106.09685)."""
        unknown = set(targets) - set(self.matrices)
        if unknown or not targets:
            raise ValueError(f"unknown targets {sorted(unknown)}; choose from {', '.join(self.matrices)}")
        return self.layers * sum(rank * sum(self.matrices[name]) for name in targets)

    def config(self, **settings: Any) -> Any:
        """A transformers configuration of this shape, with ``settings`` on top."""
        from transformers import LlamaConfig, Qwen3Config

        sizes = {
            "hidden_size": self.hidden, "intermediate_size": self.intermediate, "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads, "num_key_value_heads": self.kv_heads, "head_dim": self.head_dim,
            "vocab_size": self.vocabulary, "tie_word_embeddings": self.tied,
            "bos_token_id": None, "eos_token_id": None,
        }  # fmt: skip
        return (Qwen3Config if self.qk_norm else LlamaConfig)(**{**sizes, **settings})

    @classmethod
    def of(cls, model: Any) -> "Shape":
        """The shape of a transformers model, a peft model around one, or a configuration; `ValueError` for others."""
        config = getattr(model, "config", model)
        kind = getattr(config, "model_type", type(config).__name__)
        if kind not in LLAMA_LIKE:
            raise ValueError(f"{kind} is not counted here; give a model of {', '.join(LLAMA_LIKE)}, or write a Shape")
        return cls(
            Path(config.name_or_path).name or kind,
            config.hidden_size,
            config.intermediate_size,
            config.num_hidden_layers,
            config.num_attention_heads,
            getattr(config, "num_key_value_heads", None) or config.num_attention_heads,
            config.vocab_size,
            bool(config.tie_word_embeddings),
            getattr(config, "head_dim", None) or 0,
            kind == "qwen3",
        )

    @classmethod
    def of_size(cls, parameters: float) -> "Shape":
        """A plausible Llama-like shape with about ``parameters`` weights, from 1e6 to 1e12.

        Depth, vocabulary and head width grow with size as they do from SmolLM2 to Llama 3.1; the feed-forward width
        then makes up the number.
        """
        if not SMALLEST <= parameters <= LARGEST:
            raise ValueError(f"a shape has from {SMALLEST:.0e} to {LARGEST:.0e} parameters, got {parameters!r}")
        vocabulary = next(size for below, size in VOCABULARIES if parameters <= below)
        tied = parameters < UNTIED_FROM
        head_dim = 32 if parameters < 3e7 else 64 if parameters < 2e9 else 128
        d, layers = _width_and_depth(parameters, vocabulary * (1 if tied else 2), head_dim)
        heads = d // head_dim
        kv_heads = next(share for share in (8, 4, 3, 2, 1) if heads % share == 0)
        shape = cls("", d, 64, layers, heads, kv_heads, vocabulary, tied, head_dim)
        missing = (parameters - shape.parameters) / (3 * d * layers)
        f = max(64, 64 + round(missing / 8) * 8)
        return replace(shape, name=f"{human_number(parameters)} parameters", intermediate=f)


def _width_and_depth(parameters: float, vocabularies: int, head_dim: int) -> tuple[int, int]:
    """Width and depth whose blocks of about 11·d² weights and embeddings of d·``vocabularies`` add up."""
    ratio = 32 * (128 / 32) ** min(1.0, math.log(parameters / SMALLEST) / math.log(8e9 / SMALLEST))  # d / L

    def total(d: float) -> float:
        return max(1.0, d / ratio) * 11 * d * d + vocabularies * d

    low, high = 1.0, 1e6
    while high - low > 1:
        middle = (low + high) / 2
        low, high = (middle, high) if total(middle) < parameters else (low, middle)
    step = head_dim * (4 if low > 16 * head_dim else 1)  # wide models have head counts that divide well
    d = max(head_dim, round(low / step) * step)
    layers = round((parameters - vocabularies * d) / (11 * d * d))
    return d, max(1, layers)


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("tiny", 128, 384, 4, 4, 4, 2048, True),
        Shape("SmolLM2-135M", 576, 1536, 30, 9, 3, 49152, True),
        Shape("SmolLM2-360M", 960, 2560, 32, 15, 5, 49152, True),
        Shape("SmolLM2-1.7B", 2048, 8192, 24, 32, 32, 49152, True),
        Shape("Qwen3-0.6B", 1024, 3072, 28, 16, 8, 151936, True, 128, True),
        Shape("Qwen3-1.7B", 2048, 6144, 28, 16, 8, 151936, True, 128, True),
        Shape("Qwen3-4B", 2560, 9728, 36, 32, 8, 151936, True, 128, True),
        Shape("Llama-3.2-1B", 2048, 8192, 16, 32, 8, 128256, True),
        Shape("Llama-3.2-3B", 3072, 8192, 28, 24, 8, 128256, True),
        Shape("Llama-2-7B", 4096, 11008, 32, 32, 32, 32000, False),
        Shape("Llama-3.1-8B", 4096, 14336, 32, 32, 8, 128256, False),
        Shape("Llama-2-70B", 8192, 28672, 80, 64, 8, 32000, False),
        Shape("Llama-3.1-70B", 8192, 28672, 80, 64, 8, 128256, False),
        Shape("Llama-3.1-405B", 16384, 53248, 126, 128, 8, 128256, False),
    )
}
