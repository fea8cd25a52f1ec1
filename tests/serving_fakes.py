"""What the tests of serving share: a predictor without a model, quick, slow or broken on request."""

import socket
import threading
import time

import numpy as np

from pricelab.estimates import PriceEstimate

NAN = float("nan")


class FakePricer:
    """Prices a text at its length in dollars; keeps the batches that it was given.

    ``gate`` holds the model up until it is set; a text that contains "boom" breaks it, "overflow" gives NaN.
    """

    name = "fake, qlora"

    def __init__(self):
        self.batches, self.gate, self.busy = [], threading.Event(), threading.Event()
        self.gate.set()

    def estimate(self, texts):
        self.batches.append(list(texts))
        self.busy.set()
        assert self.gate.wait(20)
        if any("boom" in text for text in texts):
            raise RuntimeError(f"cannot price {texts!r}")
        return [self.one(text) for text in texts]

    def one(self, text):
        if not text.strip() or "overflow" in text:
            return PriceEstimate(NAN, NAN, NAN, np.full(999, NAN), "nothing to price")
        return PriceEstimate(float(len(text)), len(text) / 2, len(text) * 1.5, np.full(999, 1 / 999))

    @property
    def asked(self):
        """The texts asked for after the warm-up."""
        return [text for batch in self.batches[2:] for text in batch]


def closed(url):
    """Whether nobody listens at ``url`` any more, for which it waits up to 20 seconds."""
    host, port = url.removeprefix("http://").split(":")
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except OSError:
            return True
        time.sleep(0.01)
    return False


class OverflowingPricer(FakePricer):
    """Gives no probabilities at all, as an adapter whose arithmetic overflows."""

    def one(self, text):
        return PriceEstimate(NAN, NAN, NAN, np.full(999, NAN), "the model gave no probabilities")
