"""What a plan costs: arithmetic, memory, devices, time, money, energy, and the size of what is kept.

Every figure comes with its formula and its source, through `Budget.explain`. Introduced in notebook 01.

Notation: N weights that a token is multiplied with, A weights of the adapters, D tokens.
"""

import math
from dataclasses import dataclass

from pricelab.costs.explain import Row, rows
from pricelab.costs.memory import Memory, step_memory
from pricelab.costs.plan import Plan
from pricelab.show import html_table, text_table

USABLE = 0.9  # share of a device's memory that tensors can have; the rest is the runtime's and lost in gaps
FINE_TUNING = (
    "own arithmetic on the times in Qwen's README (A100, 1,024 to 4,096 tokens a text; short texts reach less)"
)
UTILISATION = {
    "scratch": (0.40, "Llama 3: 38–43 % (arXiv 2407.21783); PaLM: 46 % (arXiv 2204.02311)"),
    "full": (0.30, f"26–43 %: {FINE_TUNING}"),
    "lora": (0.40, f"40–44 %: {FINE_TUNING}"),
    "qlora": (0.30, f"32–39 %: {FINE_TUNING}; ms-swift's benchmark has 0.56 of LoRA's speed"),
}
CPU_UTILISATION = {
    "fp32": (0.45, "30–64 %: training steps of tiny and SmolLM2-135M on two CPUs"),
    "bf16": (0.30, "11–16 % with AMX, 40–56 % without: training steps of SmolLM2-135M on two CPUs"),
}


@dataclass(frozen=True)
class Budget:
    """What a plan costs."""

    plan: Plan
    flops: float  # all floating-point operations of the run
    memory: Memory  # of a training step, in bytes
    devices: int  # as planned, else the fewest that hold it
    devices_needed: int  # the fewest that hold it, with everything shared out evenly
    utilisation: float  # share of the peak that is reached
    seconds: float
    gpu_hours: float  # device-hours: hours times devices, also for a CPU
    usd: float
    kwh: float  # of the devices at their power limit
    artefact_bytes: float  # what is kept: a checkpoint in 16 bits, or the adapter in fp32

    @property
    def trainable(self) -> int:
        """Weights that learn."""
        return self.plan.trainable

    @property
    def fits(self) -> bool:
        """Whether the devices hold it."""
        return self.devices >= self.devices_needed

    def explain(self) -> list[Row]:
        """Each figure with its formula, value and source."""
        return rows(self)

    def _table(self) -> tuple[list[str], list[list[str]]]:
        return ["quantity", "formula", "value", "source"], [list(vars(row).values()) for row in self.explain()]

    def __str__(self) -> str:
        headers, lines = self._table()
        return text_table([headers[0], headers[2], headers[1]], [[line[0], line[2], line[1]] for line in lines])

    def _repr_html_(self) -> str:
        return html_table(*self._table(), caption=f"{self.plan.method}, {self.plan.shape.name}")


def budget(plan: Plan) -> Budget:
    """What ``plan`` costs."""
    memory, flops = step_memory(plan), training_flops(plan)
    needed = math.ceil(memory.total / (USABLE * plan.hardware.memory))
    devices, utilisation = plan.devices or needed, usual_utilisation(plan)[0]
    seconds = flops / (devices * plan.hardware.flops_per_second(plan.arithmetic) * utilisation)
    hours = devices * seconds / 3600
    kept = 4.0 * plan.trainable if plan.adapts else 2.0 * plan.shape.parameters
    return Budget(
        plan, flops, memory, devices, needed, utilisation, seconds, hours, hours * plan.hardware.usd_per_hour,
        hours * plan.hardware.watts / 1000, kept,
    )  # fmt: skip


def training_flops(plan: Plan) -> float:
    """Operations of all products with weights: 6·N·D, or (4·N + 6·A)·D when the base is frozen.

    2·N for the forward, 2·N for the gradients of the inputs, 2·N for those of the weights (Kaplan et al., arXiv
    2001.08361; Hoffmann et al., arXiv 2203.15556). A frozen base needs no gradients of weights. N leaves out the
    embedding, which is looked up, not multiplied, and keeps the head, also when it shares the embedding's weights.
    Checkpointing runs the blocks' forward once more, up to the last product, whose result nobody needs.
    """
    n, adapter = plan.shape.multiplied, plan.trainable if plan.adapts else 0
    each = 4 * n + 6 * adapter if plan.adapts else 6 * n
    last = 0 if plan.adapts else plan.shape.layers * plan.shape.hidden * plan.shape.intermediate
    again = 2 * (plan.shape.linear + adapter - last) if plan.checkpointing else 0
    return float(plan.tokens * (each + again))


def attention_share(plan: Plan) -> float:
    """Operations of the attention scores, which 6·N·D leaves out, beside the counted ones: 4·L·T·q a token and pass."""
    forward = 4 * plan.shape.layers * plan.length * plan.shape.heads * plan.shape.head_dim
    passes = 3 + (1 if plan.checkpointing else 0)  # the backward computes two gradients, also for a frozen base
    return forward * passes * plan.tokens / training_flops(plan)


def usual_utilisation(plan: Plan) -> tuple[float, str]:
    """The share of the peak that the plan says, or that is usual in its case; and where it comes from."""
    if plan.utilisation:
        return plan.utilisation, "given"
    if plan.hardware.cpu:
        return CPU_UTILISATION["fp32" if plan.arithmetic == "fp32" else "bf16"]
    return UTILISATION[plan.method]
