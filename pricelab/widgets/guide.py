"""The decision guide as a form: answer the checklist, see the advised rung, the reasons, and what would change it.

``GuideState`` holds the answers and needs no browser; ``DecisionGuide`` is the thin view over it, made of core
ipywidgets (7.7 and 8.1). What the advice is stands in ``decision``. Notebook 01 introduces the guide, 12 comes back.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pricelab.decision import Advice, advise, checked
from pricelab.decision.checklist import QUESTIONS, Question
from pricelab.decision.ladder import RUNGS
from pricelab.plots import BLUE
from pricelab.widgets.view import Form, keep_order, shown, style

NOT_ANSWERED = ("not answered", "")  # label and value in a drop-down list

STYLE = style(f"""
.pricelab-columns {{ display: flex; flex-wrap: wrap; gap: 0 1.6rem; align-items: flex-start; overflow: visible; }}
.pricelab-questions, .pricelab-advice {{ flex: 1 1 20rem; min-width: 0; max-width: 100%; overflow: visible; }}
.pricelab-why {{ margin: 0 0 0.5rem; font-size: 0.9em; line-height: 1.35; }}
.pricelab-out .pricelab-ladder {{ display: flex; flex-direction: column-reverse; list-style: none; margin: 0 0 0.6em;
  padding: 0; }}
.pricelab-ladder li {{ margin: 0 0 0.2rem; padding: 0.15em 0.6em; border: 1px solid #808080; border-radius: 4px; }}
.pricelab-ladder li[aria-current] {{ border: 3px solid {BLUE}; font-weight: 600; }}
.pricelab-ladder li.pricelab-unsettled {{ border-style: dashed; }}
.pricelab-out ul {{ margin: 0 0 0.5em; padding-left: 1.2em; }}
.pricelab-out li {{ margin: 0.1em 0; }}
""")


@dataclass
class GuideState:
    """The answers so far and the advice they lead to; every change calls ``on_change``."""

    answers: dict[str, str] = field(default_factory=dict)  # question id → option id
    on_change: Callable[[], None] = field(default=lambda: None, repr=False)
    turn: Any = field(default_factory=threading.RLock, repr=False)  # changes may come in threads of their own

    def __post_init__(self) -> None:
        self.answers = checked(self.answers)

    @property
    def advice(self) -> Advice:
        return advise(**self.answers)

    def answer(self, question: str, option: str | None) -> None:
        """Answer a question by the ids of both; None takes the answer back.

        Raises:
            ValueError: there is no such question or option; nothing is changed.
        """
        with self.turn:
            self._take(checked({**self.answers, question: option}))

    def reset(self) -> None:
        """Take all answers back."""
        with self.turn:
            self._take({})

    def _take(self, answers: dict[str, str]) -> None:
        if answers != self.answers:
            self.answers = answers
            self.on_change()


class DecisionGuide(Form):
    """A form that leads from ten questions to a rung of the ladder; show it as the last line of a cell.

    Args:
        answers: what is answered to begin with, by question id, as ``decision.advise`` takes it.

    Raises:
        ValueError: there is no such question or option.
    """

    def __init__(self, **answers: str | None) -> None:
        self.state = GuideState(checked(answers), on_change=self._refresh)
        self._build()
        self._refresh()

    def answer(self, question: str, option: str | None) -> None:
        """Answer a question by the ids of both; None takes the answer back."""
        self.state.answer(question, option)

    def reset(self) -> None:
        """Take all answers back."""
        self.state.reset()

    @property
    def advice(self) -> Advice:
        """What the answers so far lead to."""
        return self.state.advice

    def _build(self) -> None:
        import ipywidgets as w

        self.boxes = {question.id: self._box(question) for question in QUESTIONS}
        self.again = w.Button(description="Start again", layout=w.Layout(width="auto"))
        self.again.on_click(lambda _: self.state.reset())
        self.result = w.HTML()
        rows = [part for question in QUESTIONS for part in (self.boxes[question.id], _why(question))]
        questions, advice = w.VBox([*rows, w.Box([self.again])]), w.VBox([self.result])
        questions.add_class("pricelab-questions")
        advice.add_class("pricelab-advice")
        columns = w.Box([questions, advice])
        columns.add_class("pricelab-columns")
        self.view = w.VBox([w.HTML(STYLE, layout=w.Layout(display="none")), columns])
        self.view.add_class("pricelab")

    def _box(self, question: Question) -> Any:
        import ipywidgets as w

        box = w.Dropdown(
            description=question.text,
            options=[NOT_ANSWERED, *((option.label, option.id) for option in question.options)],
            value="",
            layout=w.Layout(width="auto"),
            style={"description_width": "auto"},
        )
        box.observe(lambda change: self.state.answer(question.id, change["new"] or None), "value")
        return box

    def _refresh(self) -> None:
        """Show the state."""
        for id, box in self.boxes.items():
            box.value = self.state.answers.get(id, "")
        self.result.value = page(self.state.advice)
        keep_order((*self.boxes.values(), self.again))

    def __repr__(self) -> str:
        return f"{self._how()}\n{self.state.advice}"


def _why(question: Question) -> Any:
    import ipywidgets as w

    return w.HTML(f'<p class="pricelab-why">{shown(question.why)}</p>')


def page(advice: Advice) -> str:
    """The advice as HTML: the headline, which a screen reader reads out, the ladder, then the parts of the advice."""
    answered = len(QUESTIONS) - len(advice.unanswered)
    parts = [
        f'<p class="pricelab-headline" role="status">{shown(advice.headline)}</p>',
        ladder(advice),
        *(_section(title, sentences) for title, sentences in advice.sections()),
        f"<p>{answered} of {len(QUESTIONS)} questions answered.</p>",
    ]
    return f'<div class="pricelab-out">{"".join(parts)}</div>'


def ladder(advice: Advice) -> str:
    """The five rungs as steps that rise to the right; the one that the answers lead to says so."""
    steps = [_step(number, rung, advice) for number, rung in enumerate(RUNGS)]
    return f'<ol class="pricelab-ladder" aria-label="The ladder">{"".join(steps)}</ol>'


def _step(number: int, rung: str, advice: Advice) -> str:
    words, mark = f"{number + 1} · {RUNGS[rung]}", ""
    if rung == advice.rung:
        words += " ◀\u00a0unsettled" if advice.conflicts else " ◀\u00a0advised"
        mark = f' aria-current="step" class="pricelab-{"unsettled" if advice.conflicts else "advised"}"'
    return f'<li{mark} style="margin-left: {9 * number}%">{shown(words)}</li>'


def _section(title: str, sentences: tuple[str, ...]) -> str:
    items = "".join(f"<li>{shown(sentence)}</li>" for sentence in sentences)
    warns = " pricelab-note" if "contradict" in title else ""
    return f'<div class="pricelab-section{warns}"><p class="pricelab-name">{shown(title)}</p><ul>{items}</ul></div>'
