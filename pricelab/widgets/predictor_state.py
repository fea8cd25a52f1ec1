"""What the price predictor was asked and what came of it, in words where there is no price; no browser needed.

How an answer looks stands in ``cards``, how a price is found in ``pricer``, threads and Cancel in ``predictor_work``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pricelab.widgets.predictor_history import History
from pricelab.widgets.predictor_work import Cancelled, Task, Work

MAX_CHARACTERS = 20_000


@dataclass
class PredictorState:
    """The last question and its answer; every change calls ``on_change``."""

    pricer: Any  # .estimate(str) -> PriceEstimate, .untuned, .name
    compare: bool = True  # ask the untuned base as well
    text: str = ""  # the description last asked about
    status: str = "ready"  # "ready" | "estimating" | "answered" | "failed" | "cancelled"
    answer: Any = None  # PriceEstimate of the fine-tuned model; while estimating: the base is still asked
    untuned: Any = None  # PriceEstimate of the bare base
    error: str = ""  # in words, empty when there is none
    on_change: Callable[[], None] = field(default=lambda: None, repr=False)
    work: Work = field(default_factory=Work, repr=False)
    history: History = field(default_factory=History, repr=False)
    _base: Any = field(default=None, repr=False)

    def ask(self, text: str) -> None:
        """Estimate the price of a description, and wait. Whatever goes wrong ends in ``error``, nothing is raised."""
        self.work.run("estimate", self._job(text), self._cancelled)

    def start(self, text: str) -> bool:
        """Estimate it in a thread, which `cancel` can take back; False while something else is under way."""
        return self.work.start("estimate", self._job(text), self._cancelled)

    def cancel(self) -> bool:
        """Take the question back; False when there is none."""
        return self.work.busy == "estimate" and self.work.cancel()

    def _job(self, text: str) -> Callable[[Task], None]:
        return lambda task: self._ask(str(text or ""), task)

    def _ask(self, text: str, task: Task) -> None:
        task.tell(lambda: self._begin(text))
        error, answer, untuned = "stopped before there was a price", None, None  # stands if the kernel is interrupted
        try:
            if refused := why_refused(text):
                error = refused
            else:
                answer, untuned = self._estimates(text, task)
                error = (
                    "" if math.isfinite(answer.estimate) else answer.warning or "the model gave no price for this text"
                )
        except Cancelled:
            raise
        except Exception as problem:  # any failure of the model is told in words, not as a traceback
            error = f"the model failed: {str(problem) or type(problem).__name__}"
        finally:
            if not task.cancelled:
                task.tell(lambda: self._end(error, answer, untuned), last=True)

    def _estimates(self, text: str, task: Task) -> tuple[Any, Any]:
        answer = self.pricer.estimate(text)
        task.check()  # no second model is asked when nobody waits
        if not self.compare or not math.isfinite(answer.estimate):
            return answer, None
        task.tell(lambda: self._first(answer))
        if self._base is None:
            self._base = self.pricer.untuned  # once: of a fully tuned model it is loaded from disk
        return answer, self._base.estimate(text)

    def _begin(self, text: str) -> None:
        self.text, self.status, self.answer, self.untuned, self.error = text, "estimating", None, None, ""
        self.on_change()

    def _first(self, answer: Any) -> None:
        self.answer = answer
        self.on_change()

    def _end(self, error: str, answer: Any, untuned: Any) -> None:
        self.error = error
        self.answer, self.untuned = (None, None) if error else (answer, untuned)
        self.status = "failed" if error else "answered"
        if self.text.strip():
            self.history.add(self.text, self.answer, self.untuned, error)
        self.on_change()

    def _cancelled(self) -> None:
        if self.answer is not None:  # only the comparison was still to come
            return self._end("", self.answer, None)
        self.status, self.error = "cancelled", ""
        self.on_change()


def why_refused(text: str) -> str:
    """Why a text is no description to price, in words; empty when it is one."""
    if not text.strip():
        return "the description is empty; type what the product is, its size, material and condition"
    if len(text) > MAX_CHARACTERS:
        return (
            f"the description has {len(text):,} characters, at most {MAX_CHARACTERS:,} are read; "
            "shorten it to what the product is"
        )
    return ""
