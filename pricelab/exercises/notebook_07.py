"""Exercises of notebook 07."""

from pricelab.exercises.judges import Exercise, number

EXERCISES = (
    Exercise(
        "07-adapter",
        "easy",
        2,
        number(
            9216,
            "8 · 576 for A and 576 · 8 for B",
            wrong={
                331776: "that is the layer's own weight matrix, which stays frozen",
                4608: "that is one of the two thin matrices; LoRA trains A and B",
                5308416: "A and B are added up, not multiplied",
                1152: "each of the 8 ranks brings a row of A and a column of B: multiply by 8",
            },
        ),
    ),
    Exercise(
        "07-memory",
        "easy",
        2,
        number(
            4,
            "half a byte a weight (the block scales of NF4 add a little: notebook 06)",
            wrong={
                32: "that is four *bytes* a weight, fp32; a byte has eight bits",
                16: "that is two bytes a weight, bf16",
                8: "that is one byte a weight, int8",
                4e9: "that is the number of bytes; a gigabyte is a thousand million of them",
                2: "that is two bits a weight",
            },
            unit="GB",
        ),
    ),
)
