"""The price distribution the slow way, for the tests of the fast ones."""

import numpy as np
import torch


def brute_force(model, prompt, digits):
    """P($1)…P($999), each price scored by a whole pass of its own, without a cache and without padding."""
    scores = np.zeros(1000)
    for low, high in ((1, 10), (10, 100), (100, 1000)):
        numbers = [[digits[int(d)] for d in str(n)] for n in range(low, high)]
        with torch.inference_mode():
            logits = model(torch.tensor([prompt + number for number in numbers])).logits.double()
        chance = logits[:, len(prompt) - 1 :].softmax(-1)
        for n, number in enumerate(numbers):
            first, *later = (chance[n, place, token] for place, token in enumerate(number))
            stop = 1 - chance[n, len(number)][digits].sum() if high < 1000 else 1.0
            scores[low + n] = first / chance[n, 0, digits[1:]].sum() * np.prod(later) * stop
    return scores[1:]
