"""The decision guide: answers to a short checklist become a rung of the ladder, with reasons and what would change it.

The questions stand in ``checklist``, the rules in ``ladder``, both as tables; here they are walked and put into words.
The form is ``widgets.guide``. Notebook 01 introduces it. Contradictory answers are explained, never averaged.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pricelab.decision.checklist import BY_ID, QUESTIONS, Question
from pricelab.decision.ladder import CLASHES, METHODS, NEXT, RULES, RUNGS, Clash, When
from pricelab.show import html_text

Answers = Mapping[str, str]  # question id → option id; what is left out is not answered


@dataclass(frozen=True)
class Reason:
    """What one answer has to do with the advice."""

    question: str  # id
    answer: str  # id of the option
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, repr=False)
class Advice:
    """What the answers so far lead to; while too little is known, no rung, but the question that comes next."""

    rung: str | None  # a key of RUNGS
    headline: str
    reasons: tuple[Reason, ...]
    what_would_change_it: tuple[str, ...]  # one sentence for each group of single answers that leads elsewhere
    conflicts: tuple[str, ...]  # explained contradictions, each with what settles it
    method: str  # how to go about the rung
    next_step: str  # the notebook that measures it
    needed: str | None  # id of the question that decides next
    unanswered: tuple[str, ...]  # ids of all open questions

    def sections(self) -> list[tuple[str, tuple[str, ...]]]:
        """(title, sentences) for each part that has something to say, in reading order."""
        parts = [
            ("These answers contradict each other", self.conflicts),
            ("Why", tuple(map(str, self.reasons))),
            ("How", (self.method,) if self.method else ()),
            ("What would change it", self.what_would_change_it),
            ("Next step", (self.next_step,) if self.next_step else ()),
        ]
        return [(title, sentences) for title, sentences in parts if sentences]

    def __str__(self) -> str:
        lines = [self.headline]
        for title, sentences in self.sections():
            lines += ["", title, *(f"- {sentence}" for sentence in sentences)]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        page = [f"<p><strong>{html_text(self.headline)}</strong></p>"]
        for title, sentences in self.sections():
            items = "".join(f"<li>{html_text(sentence)}</li>" for sentence in sentences)
            page.append(f"<p>{html_text(title)}</p><ul>{items}</ul>")
        return "".join(page)


class Walk(NamedTuple):
    """How far the rules get with some answers."""

    rung: str | None  # a key of RUNGS, or None while a question is open
    decisive: tuple[str, ...]  # ids of the questions whose answers led there; no other answer matters to the rung
    needed: str | None  # id of the open question


def advise(**answers: str | None) -> Advice:
    """The advice for answers by question id, as in ``advise(task="number", examples="thousands", simple="untried")``.

    ``checklist.QUESTIONS`` lists questions and options; None is the same as not answered.

    Raises:
        ValueError: there is no such question, or no such option.
    """
    given = checked(answers)
    walked = walk(given)
    conflicts = tuple(_clash_in_words(clash, given) for clash in CLASHES if _clashes(clash, given, walked.rung))
    unanswered = tuple(question.id for question in QUESTIONS if question.id not in given)
    return Advice(
        rung=walked.rung,
        headline=_headline(walked, bool(conflicts), bool(unanswered)),
        reasons=tuple(_reason(id, given[id]) for id in walked.decisive),
        what_would_change_it=_changes(given, walked),
        conflicts=conflicts,
        method=next((m.how for m in METHODS if m.rung == walked.rung and _holds(m.when, given)), ""),
        next_step=NEXT.get(walked.rung or "", ""),
        needed=walked.needed,
        unanswered=unanswered,
    )


def checked(answers: Mapping[str, str | None]) -> dict[str, str]:
    """The answers that were given, in the checklist's order; ValueError for an unknown question or option."""
    for id in answers:
        if id not in BY_ID:
            raise ValueError(f"the checklist has no question {id!r}; it asks {', '.join(BY_ID)}")
    given = ((question, answers.get(question.id)) for question in QUESTIONS)
    return {question.id: question.option(answer).id for question, answer in given if answer is not None}


def walk(answers: Answers) -> Walk:
    """Try the rules in turn: one that an answer contradicts is passed over, one that lacks an answer ends the walk."""
    decisive: list[str] = []
    for rule in RULES:
        against = [id for id, options in rule.when.items() if id in answers and answers[id] not in options.split()]
        if against:
            decisive.append(against[0])
            continue
        needed = [id for id in rule.when if id not in answers]
        if needed:
            return Walk(None, tuple(dict.fromkeys(decisive)), needed[0])
        return Walk(rule.rung, tuple(dict.fromkeys([*rule.when, *decisive])), None)
    raise LookupError("no rule holds: the last one must ask for nothing")


def _holds(when: When, answers: Answers) -> bool:
    return all(answers.get(id) in options.split() for id, options in when.items())


def _clashes(clash: Clash, answers: Answers, rung: str | None) -> bool:
    return clash.rung in ("", rung) and _holds(clash.when, answers)


def _clash_in_words(clash: Clash, answers: Answers) -> str:
    *clauses, last = [BY_ID[id].option(answers[id]).clause for id in clash.when]
    all_of_them = f"{', '.join(clauses)} and {last}" if clauses else last
    leads = f", which leads to {RUNGS[clash.rung]}" if clash.rung else ""
    return f"{_sentence(all_of_them)}{leads}: {clash.why}. To settle it, {clash.settle}."


def _headline(walked: Walk, conflicts: bool, so_far: bool) -> str:
    if walked.rung is None:
        return f"Still needed: {BY_ID[walked.needed or ''].text}"
    if conflicts:
        return f"Settle a contradiction first. As they stand, your answers lead to {RUNGS[walked.rung]}."
    return f"{'So far' if so_far else 'Advice'}: {RUNGS[walked.rung]}."


def _reason(id: str, answer: str) -> Reason:
    option = BY_ID[id].option(answer)
    return Reason(id, answer, f"{_sentence(option.clause)}: {option.reason}.")


def _changes(answers: Answers, walked: Walk) -> tuple[str, ...]:
    """Flip every answer that matters, one at a time, and say which flips lead elsewhere."""
    if walked.rung is None:
        return ()
    questions = [BY_ID[id] for id in answers if id in walked.decisive]
    return tuple(sentence for question in questions for sentence in _changes_of(question, answers, walked.rung))


def _changes_of(question: Question, answers: Answers, rung: str) -> list[str]:
    ways: dict[str, list[str]] = {}  # where it leads → the answers that lead there
    for option in question.options:
        other = walk({**answers, question.id: option.id})
        if other.rung is None:
            ways.setdefault(f"the next question counts: {BY_ID[other.needed or ''].text}", []).append(option.clause)
        elif other.rung != rung:
            ways.setdefault(f"{RUNGS[other.rung]}.", []).append(option.clause)
    return [f"If {', or if '.join(clauses)}, then {leads_to}" for leads_to, clauses in ways.items()]


def _sentence(clause: str) -> str:
    return clause[:1].upper() + clause[1:]
