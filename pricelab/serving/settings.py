"""What the server accepts and how long it waits; every limit with its unit, contradictions refused."""

from dataclasses import dataclass, replace

LOOPBACK = ("127.0.0.1", "localhost", "::1")
TOKEN_VARIABLE = "PRICELAB_TOKEN"  # an argument would be seen by everybody who lists processes


@dataclass(frozen=True)
class Limits:
    """Limits of one server; what exceeds them is refused in words, with the status in brackets."""

    max_batch: int = 16  # texts that share a pass through the model; 1 switches batching off
    max_wait_ms: float = 5.0  # that a text waits for company while the model is idle
    max_queue: int = 256  # texts that wait at most, over all callers (429); fewer where the model is slow: `at`
    max_items: int = 128  # texts in one request (422)
    max_text_chars: int = 10_000  # characters of one text (422)
    max_body_bytes: int = 2_000_000  # bytes of one request's body (413)
    max_held_bytes: int = 64_000_000  # bytes of all bodies in memory at the same time (503)
    body_timeout_s: float = 10.0  # seconds for a request's body to arrive (408)
    answer_timeout_s: float = 30.0  # seconds from then to the answer (503)
    drain_timeout_s: float = 30.0  # seconds that a shutdown waits for what was accepted

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0 and not (name == "max_wait_ms" and value == 0):
                raise ValueError(f"{name} is {value}; it must be positive")
        if self.max_body_bytes > self.max_held_bytes:
            raise ValueError(
                f"max_body_bytes ({self.max_body_bytes:,}) is more than max_held_bytes ({self.max_held_bytes:,}): such "
                "a body could never be read; raise max_held_bytes"
            )
        if self.max_items > self.max_queue:
            raise ValueError(
                f"max_items ({self.max_items}) is more than max_queue ({self.max_queue}): such a request could never "
                "be taken; raise max_queue"
            )

    def at(self, per_second: float) -> "Limits":
        """These limits with a queue that a model of so many texts a second answers within ``answer_timeout_s``.

        The batch at work and the queue together get a third of that time, so that longer texts than the warm-up's and a
        machine that is busier by then are in time too.
        """
        texts = per_second * self.answer_timeout_s / 3
        if texts - self.max_batch >= self.max_queue:
            return self
        queue = min(self.max_queue, max(1, int(max(texts - self.max_batch, texts / 2))))  # small queues, small batches
        return replace(self, max_queue=queue, max_items=min(self.max_items, queue))
