"""A planned training run and what it costs, as the budget explorer holds it; no browser is needed.

Knobs are set by name, from the form or from code; the formulas stand in ``costs``. Whatever makes no sense is told in
words. ``budget`` is the form over it.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

from pricelab import costs
from pricelab.costs import Budget, Hardware, Plan, Shape
from pricelab.widgets.quantity import number_if_any, parsed

OWN_SIZE, THIS_MACHINE = "own size", "this machine"
ADAPTERS = ("lora", "qlora")
QUANTITIES = ("parameters", "items", "tokens")  # take texts such as "8 B" too
WHOLE = ("rank", "batch", "length", "devices")
RESULTS = ("budget", "error", "status", "measured", "on_change", "turn")  # fields of the state that nobody sets


@dataclass
class BudgetState:
    """A planned training run and what it costs; every change recomputes and calls ``on_change``."""

    model: str = "Llama-3.1-8B"  # a name in ``costs.SHAPES``, or OWN_SIZE
    parameters: float | str = 1e9  # of a model of one's own size; a text such as "8 B" will do as well
    count: str = "items"  # how the data is counted: "items" or "tokens"
    items: float | str = 10_000.0  # texts trained on in all, of ``length`` tokens each
    tokens: float | str = 1e9  # trained on in all
    method: str = "qlora"  # one of ``costs.METHODS``
    precision: str = ""  # of the weights; "" stands for the method's usual one
    rank: int = 16  # of the adapters
    batch: int = 4  # texts at a time
    length: int = 256  # tokens a text
    checkpointing: bool = False  # compute activations again in the backward
    hardware: str = "L4"  # a name in ``costs.HARDWARE``, or THIS_MACHINE
    devices: int = 0  # 0 stands for the fewest that hold it
    usd_per_hour: float | None = None  # for one device; None stands for the list price
    budget: Budget | None = None
    error: str = ""  # why there is no budget, in words
    status: str = "ready"  # "ready" or "measuring"
    measured: Hardware | None = None  # this machine, once it was asked for
    on_change: Callable[[], None] = field(default=lambda: None, repr=False)
    turn: Any = field(default_factory=threading.RLock, repr=False)  # changes may come in threads of their own

    def __post_init__(self) -> None:
        self.set()

    def set(self, **changes: Any) -> None:
        """Change the plan. A plan that makes no sense ends in ``error``, in words.

        Raises:
            ValueError: the plan has nothing of that name.
        """
        if unknown := set(changes) - set(KNOBS):
            raise ValueError(f"a plan has no {', '.join(sorted(unknown))}; it has {', '.join(KNOBS)}")
        with self.turn:
            if changes.get("hardware", self.hardware) != self.hardware:
                self.usd_per_hour = None  # another device has another price
            for name, value in changes.items():
                setattr(self, name, number_if_any(value) if name in QUANTITIES else value)
            if "precision" not in changes and self.precision not in self.precisions:
                self.precision = ""  # the new method can't have it
            self._compute()
            self.on_change()

    @property
    def precisions(self) -> tuple[str, ...]:
        """What the method can hold the weights in; "" first, which stands for the usual one."""
        return ("", *costs.PRECISIONS_OF.get(self.method, ()))

    @property
    def usual_precision(self) -> str:
        """What "" stands for as ``precision``; empty while there is no budget."""
        return replace(self.budget.plan, precision="").weight_format if self.budget else ""

    @property
    def device(self) -> Hardware:
        """The hardware at the price that was given; ValueError if there is none of that name."""
        device = self._this_machine() if self.hardware == THIS_MACHINE else costs.HARDWARE.get(self.hardware)
        if device is None:
            raise ValueError(f"no hardware “{self.hardware}”; choose {THIS_MACHINE}, {', '.join(costs.HARDWARE)}")
        return device if self.usd_per_hour is None else replace(device, usd_per_hour=self.usd_per_hour)

    @property
    def price(self) -> float:
        """US dollars an hour for one device: as given, else its list price; 0 while it is not known."""
        if self.usd_per_hour is not None:
            return self.usd_per_hour
        device = self.measured if self.hardware == THIS_MACHINE else costs.HARDWARE.get(self.hardware)
        return device.usd_per_hour if device else 0.0

    @property
    def shape(self) -> Shape:
        """The model's shape; ValueError if there is none of that name or size."""
        if self.model == OWN_SIZE:
            return Shape.of_size(parsed(self.parameters))
        if self.model not in costs.SHAPES:
            raise ValueError(f"no model “{self.model}”; choose {OWN_SIZE}, {', '.join(costs.SHAPES)}")
        return costs.SHAPES[self.model]

    @property
    def plan(self) -> Plan:
        """The plan as ``costs`` takes it; ValueError, with the cure, if it contradicts itself."""
        for name in WHOLE:
            if not isinstance(getattr(self, name), int):
                raise ValueError(f"{name} must be a whole number, got {getattr(self, name)!r}")
        return Plan(
            self.shape,
            tokens=self._tokens(),
            method=self.method,
            rank=self.rank if self.method in ADAPTERS else 0,
            precision=self.precision,
            batch=self.batch,
            length=self.length,
            checkpointing=self.checkpointing,
            hardware=self.device,
            devices=self.devices or (1 if self.hardware == THIS_MACHINE else 0),
        )

    def _tokens(self) -> float:
        if self.count not in ("items", "tokens"):
            raise ValueError(f"data is counted in items or tokens, got {self.count!r}")
        return parsed(self.tokens) if self.count == "tokens" else parsed(self.items) * self.length

    def _compute(self) -> None:
        self.budget, self.error = None, ""
        try:
            self.budget = costs.budget(self.plan)
        except Exception as problem:  # a plan that makes no sense, or a failed measurement: told in words
            self.error = str(problem) or type(problem).__name__

    def _this_machine(self) -> Hardware:
        """This machine, measured at the first call."""
        if self.measured is None:
            self.status = "measuring"
            self.on_change()
            try:
                self.measured = costs.this_machine()
            finally:
                self.status = "ready"
        return self.measured


KNOBS = tuple(each.name for each in fields(BudgetState) if each.name not in RESULTS)
