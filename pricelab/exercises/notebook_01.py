"""Exercises of notebook 01: what fine-tuning is, what a run takes."""

from pricelab.exercises.judges import Exercise, choice, function, number


def training_flops(parameters: float, tokens: float, trained: float) -> float:
    """2 FLOPs a weight and token forward, 2 back through every weight, 2 more for each weight that is trained."""
    return (4 * parameters + 2 * trained) * tokens


EXERCISES = (
    Exercise(
        "01-which",
        "easy",
        2,
        choice(
            "C",
            "it starts from weights that somebody else trained, and moves them",
            wrong={
                "A": "a prompt with examples moves no weight: the model is the same afterwards",
                "B": "those weights started at random: this is a task model trained from scratch",
                "D": "the ridge starts from nothing and learns from your items alone: from scratch, in seconds",
            },
        ),
    ),
    Exercise(
        "01-flops",
        "medium",
        5,
        function(
            training_flops,
            cases=lambda: [(10.0, 3.0, 10.0), (10.0, 3.0, 0.5), (135e6, 2e12, 135e6)],
            right="all weights trained gives 6·N·D; a frozen base with a thin adapter a little over 4·N·D",
            wrong={
                "that is the forward pass alone; the gradient has to come back as well":
                    lambda parameters, tokens, trained: 2 * parameters * tokens,
                "6·N·D whatever is trained; a frozen weight needs no gradient of its own":
                    lambda parameters, tokens, trained: 6 * parameters * tokens,
                "the gradient passes through frozen weights too, on its way to the adapter: 2 more for each of those":
                    lambda parameters, tokens, trained: (2 * parameters + 4 * trained) * tokens,
                "only the trained weights are counted; the frozen ones still multiply":
                    lambda parameters, tokens, trained: 6 * trained * tokens,
            },
            hint="try 10 weights, 1 token: 60 FLOPs when all are trained, 40 when none is",
        ),
    ),
    Exercise(
        "01-memory",
        "medium",
        3,
        number(
            48,
            "2 + 2 for weight and gradient, 4 + 4 + 4 for master copy and two averages: 16 bytes a weight",
            wrong={
                6: "that is the weights alone in bf16; training also holds gradients and the optimizer",
                12: "weights and gradients; AdamW keeps two averages and a master copy for each weight besides",
                36: "12 bytes a weight: the optimizer's part alone, or all but the master copy; add the rest",
                24: "8 bytes a weight: with everything in bf16; here the last three numbers are fp32",
                48e9: "that is the number of bytes; a gigabyte is a thousand million of them",
            },
            unit="GB",
        ),
    ),
)  # fmt: skip
