"""The questions of the decision guide: what each asks, why it is asked, and what each answer means for the choice.

Data only; the rules that lead from answers to advice stand in ``ladder``. Numbers of examples and tokens are rules of
thumb, not measurements: notebook 08 draws the curve for one catalog. Notebook 01 introduces the guide.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Option:
    """One possible answer."""

    id: str  # as ``decision.advise`` takes it
    label: str  # as a form offers it
    clause: str  # as a statement: "If …, then", and "…: reason"
    reason: str  # what the answer means for the choice


@dataclass(frozen=True)
class Question:
    """One question of the checklist."""

    id: str
    text: str
    why: str  # why it is asked
    options: tuple[Option, ...]

    def option(self, id: str) -> Option:
        """The option of that id.

        Raises:
            ValueError: there is none.
        """
        for option in self.options:
            if option.id == id:
                return option
        raise ValueError(f"{self.id}={id!r} is no answer; choose one of {', '.join(o.id for o in self.options)}")


QUESTIONS = (
    Question(
        "task", "What must come out?",
        "A model that only predicts can be far smaller than one that writes.",
        (
            Option("number", "a number or a label from short text", "the output is a number or a label",
                   "that is what classical models are made for, in seconds and on any machine"),
            Option("text", "written text, or a conversation", "the output is written text",
                   "a classical model doesn't write, so the ladder begins at a prompt"),
            Option("both", "both", "the output is text as well as a number or a label",
                   "the text decides the rung; a classical model may still supply the number beside it"),
        ),
    ),
    Question(
        "examples", "How many examples with the right answer do you have?",
        "Every way of learning from examples needs a minimum of them. The limits are rules of thumb.",
        (
            Option("few", "fewer than 50", "you have fewer than 50 examples",
                   "they fit into a prompt, and are too few to train anything on"),
            Option("hundreds", "50 to 1,000", "you have 50 to 1,000 examples",
                   "enough to fit a classical model, and to teach a format or a style to a base that mostly works"),
            Option("thousands", "1,000 to 100,000", "you have 1,000 to 100,000 examples",
                   "enough for a classical model and for fine-tuning"),
            Option("huge", "more than 100,000", "you have more than 100,000 examples",
                   "enough for every way to learn one task, even a small network from random weights"),
        ),
    ),
    Question(
        "simple", "Have you measured a classical model, such as words into a linear model?",
        "For numbers and labels it is the cheapest rung, and hard to beat. It doesn't write text.",
        (
            Option("untried", "not yet", "no classical model has been measured yet",
                   "fitting one takes seconds, so begin there; on the workshop catalog's known product families "
                   "TF-IDF + ridge beats the fine-tuned 135 M model"),
            Option("good", "yes, it is good enough", "a classical model is good enough",
                   "a larger one would cost more and buy nothing that you need"),
            Option("weak", "yes, it falls short", "a classical model was measured and falls short",
                   "that is the reason to climb, and its error is the number to beat"),
        ),
    ),
    Question(
        "base", "Is there a pretrained base that you can use?",
        "A base has learned from much text already. It fits if its licence, language and kind of input do.",
        (
            Option("fits", "yes, one fits", "a pretrained base fits",
                   "what it has learned doesn't have to be paid for again"),
            Option("none", "no, none fits", "no pretrained base fits",
                   "there is nothing to prompt or to fine-tune, which leaves training"),
            Option("own", "no, everything must be our own",
                   "data, tokenizer, architecture and licence must all be yours",
                   "only training from random weights gives that much control"),
        ),
    ),
    Question(
        "works", "Asked with a few examples in the prompt, does a base do the task?",
        "Fine-tuning adapts an ability far more easily than it creates one.",
        (
            Option("yes", "yes, as often as needed", "a base does the task when asked",
                   "the ability is there; what remains is the cost of each answer"),
            Option("mostly", "mostly, and its errors have a pattern", "a base mostly does the task when asked",
                   "it needs adapting, not building"),
            Option("hardly", "hardly ever", "a base hardly does the task when asked",
                   "the task itself must be taught, and that takes thousands of examples"),
        ),
    ),
    Question(
        "missing", "What do its wrong answers lack?",
        "Facts (stock, news, documents) are looked up. Behaviour is learned.",
        (
            Option("nothing", "nothing", "its answers lack nothing",
                   "there are no facts to look up"),
            Option("facts", "facts that change often",
                   "its answers lack facts that change often",
                   "weights keep what was true when they were trained, so look facts up for each answer"),
            Option("behaviour", "behaviour: format, style, terms",
                   "its answers lack format, style or the terms of the field",
                   "looking things up brings facts, not habits; habits are learned from examples"),
            Option("both", "both", "its answers lack both changing facts and the right behaviour",
                   "facts first, on the lower rung; behaviour that is still wrong then is a case for fine-tuning"),
        ),
    ),
    Question(
        "format", "Must the output keep an exact format?",
        "A reader forgives a stray word. A program doesn't.",
        (
            Option("exact", "yes, a program reads it", "a program reads the output",
                   "an answer in another form is lost; fine-tuning makes a form reliable"),
            Option("loose", "no, people read it", "people read the output",
                   "an answer in another form is still an answer"),
        ),
    ),
    Question(
        "limits", "What limits each answer?",
        "Examples and passages in a prompt are paid for with every single answer.",
        (
            Option("none", "nothing in particular", "nothing in particular limits an answer",
                   "a long prompt is no obstacle"),
            Option("private", "must stay on our own machines", "texts must stay on your machines",
                   "the base must have open weights and run there"),
            Option("tight", "must be quick or cheap", "each answer must be quick or cheap",
                   "long prompts cost time and money with each answer; a smaller, fine-tuned base does without them"),
        ),
    ),
    Question(
        "compute", "What can you train on?",
        "It decides how to fine-tune, and whether training from scratch is possible at all.",
        (
            Option("laptop", "a laptop", "you have a laptop to train on", "small bases can be fine-tuned on it"),
            Option("gpu", "one GPU", "you have one GPU to train on",
                   "bases of some billion weights can be fine-tuned on it"),
            Option("cluster", "many GPUs, for months", "you have many GPUs for months", "every rung is affordable"),
        ),
    ),
    Question(
        "raw_text", "How much raw text have you got, in the language and field you need?",
        "Training from scratch learns language itself from it. A token is about three quarters of an English word.",
        (
            Option("little", "under a billion tokens", "you have under a billion tokens of raw text",
                   "too little to learn broad language from"),
            Option("billions", "a billion to a trillion tokens", "you have billions of tokens of raw text",
                   "enough for a language model of a matching size"),
            Option("massive", "more than a trillion tokens", "you have more than a trillion tokens of raw text",
                   "as much as published language models learn from"),
        ),
    ),
)  # fmt: skip

BY_ID = {question.id: question for question in QUESTIONS}
