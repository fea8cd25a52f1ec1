"""Published training runs, to check the formulas against and to see how far away a foundation model is.

Only what its makers said in a paper or on a model card; rounded as they rounded. Introduced in notebook 01, used in 04.
"""

from dataclasses import dataclass

from pricelab.costs.budget import UTILISATION, budget, usual_utilisation
from pricelab.costs.hardware import HARDWARE, Hardware
from pricelab.costs.plan import Plan
from pricelab.costs.shapes import SHAPES, Shape


@dataclass(frozen=True)
class Published:
    """A foundation model as its makers describe its training from scratch."""

    name: str
    parameters: float
    tokens: float
    source: str
    flops: float | None = None  # as published
    device_hours: float | None = None  # as published
    hardware: str = ""  # key of HARDWARE
    note: str = ""

    @property
    def six_nd(self) -> float:
        """6·N·D with all parameters as N, which is what is published."""
        return 6 * self.parameters * self.tokens

    @property
    def estimated_hours(self) -> float:
        """Device-hours for `six_nd` at the usual utilisation of training from scratch."""
        if not self.hardware:
            raise ValueError(f"no hardware is noted for {self.name}, so its hours cannot be estimated")
        return self.six_nd / (HARDWARE[self.hardware].flops_per_second("bf16") * UTILISATION["scratch"][0] * 3600)


@dataclass(frozen=True)
class PublishedStep:
    """A fine-tuning step measured by others on one A100: batch 1, accumulated 8 times, with checkpointing."""

    plan: Plan  # its tokens are those of one optimizer step
    seconds: float  # a step
    gigabytes: float  # peak
    source: str


A100, H100 = "A100 80GB", "H100 SXM"
LLAMA_1, LLAMA_2, LLAMA_3 = "arXiv 2302.13971", "Llama 2 model card", "Llama 3.1 model card"
SLOW = "its hours say 14 % utilisation, a third of its larger siblings'"
PUBLISHED = (
    Published("SmolLM2-135M", 134.5e6, 2e12, "SmolLM2-135M model card"),
    Published("Qwen3-0.6B", 0.6e9, 36e12, "Qwen3 model cards"),
    Published("TinyLlama-1.1B", 1.1e9, 3e12, "project README, arXiv 2401.02385", None, 16 * 90 * 24, A100,
              "16 A100 with 40 GB, which compute as fast, for 90 days"),
    Published("SmolLM2-1.7B", 1.71e9, 11e12, "arXiv 2502.02737", 1e23),
    Published("Qwen3-1.7B", 1.7e9, 36e12, "Qwen3 model cards"),
    Published("Llama-2-7B", 6.74e9, 2e12, LLAMA_2, None, 184_320, A100),
    Published("Llama-3.1-8B", 8.03e9, 15e12, LLAMA_3, None, 1.46e6, H100, SLOW),
    Published("Llama-13B", 13.0e9, 1e12, LLAMA_1, None, 135_168, A100),
    Published("Llama-2-13B", 13.0e9, 2e12, LLAMA_2, None, 368_640, A100),
    Published("Llama-65B", 65.2e9, 1.4e12, LLAMA_1, None, 1_022_362, A100),
    Published("Llama-2-70B", 69.0e9, 2e12, LLAMA_2, None, 1_720_320, A100),
    Published("Chinchilla-70B", 70e9, 1.4e12, "arXiv 2203.15556", 5.76e23),
    Published("Llama-3.1-70B", 70.6e9, 15e12, LLAMA_3, None, 7.0e6, H100),
    Published("GPT-3-175B", 175e9, 300e9, "arXiv 2005.14165, table D.1", 3.14e23),
    Published("BLOOM-176B", 176e9, 366e9, "arXiv 2211.02001", None, 1.08e6, A100),
    Published("Llama-3.1-405B", 405.9e9, 15.6e12, f"arXiv 2407.21783, {LLAMA_3}", 3.8e25, 30.84e6, H100),
    Published("PaLM-540B", 540e9, 780e9, "arXiv 2204.02311", 2.53e24),
)  # fmt: skip

QWEN_7B = Shape("Qwen-7B", 4096, 11008, 32, 32, 32, 151_936, False)
QWEN_README = "Qwen's README, Profiling of Memory and Speed; its scripts use r = 64 on all linear layers"
QWEN_STEPS = tuple(
    PublishedStep(
        Plan(QWEN_7B, 8 * length, method, rank=64, length=length, checkpointing=True, hardware=HARDWARE[A100]),
        seconds, gigabytes, QWEN_README,
    )
    for method, length, seconds, gigabytes in (
        ("lora", 1024, 2.8, 21.5), ("lora", 2048, 5.2, 23.8), ("lora", 4096, 10.1, 29.7),
        ("qlora", 1024, 3.5, 12.3), ("qlora", 2048, 7.0, 13.9), ("qlora", 4096, 11.6, 16.9),
    )
)  # fmt: skip


def published_flops(*names: str) -> dict[str, float]:
    """Name → 6·N·D of published models.

    Raises:
        ValueError: a name that is not in `PUBLISHED`.
    """
    flops = {model.name: model.six_nd for model in PUBLISHED}
    if unknown := [name for name in names if name not in flops]:
        raise ValueError(f"{unknown[0]!r} is not among the published models: {', '.join(flops)}")
    return {name: flops[name] for name in names}


def ladder(here: Hardware, seconds: float = 180.0) -> list[tuple[str, float]]:
    """Rungs from what ``here`` computes in ``seconds`` to the largest models: name and FLOPs, ascending."""
    base, tokens = SHAPES["Llama-3.1-8B"], 1e7
    step = Plan(SHAPES["tiny"], 1, "scratch", hardware=here)
    share = usual_utilisation(step)[0]
    reached = here.flops_per_second(step.arithmetic) * share * seconds
    rungs = [
        (f"{seconds / 60:g} minutes here, at\n{share:.0%} of full speed".replace("%", " %"), reached),
        ("LoRA, 8B, 10 M tokens", budget(Plan(base, tokens, "lora", rank=16)).flops),
        ("full, 8B, 10 M tokens", budget(Plan(base, tokens, "full")).flops),
    ]
    names = ("SmolLM2-135M", "Llama-2-7B", "GPT-3-175B", "Llama-3.1-405B")
    rungs += [(f"{model.name} from scratch", model.six_nd) for model in PUBLISHED if model.name in names]
    return sorted(rungs, key=lambda rung: rung[1])
