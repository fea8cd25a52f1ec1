"""One piece of work at a time with the model, in a thread of its own, so that a press of Cancel gets through meanwhile.

A kernel that is busy in a callback answers no click. So a button *starts* work and returns at once, while a cell's call
*runs* it and waits. What was cancelled may not change anything any more, however long its arithmetic still takes.
What the work is, is left to the parts of the predictor.
"""

import contextvars
import threading
from collections.abc import Callable


class Cancelled(Exception):
    """The person who asked has taken it back."""


class Task:
    """One piece of work, as the work itself sees it."""

    def __init__(self, name: str, on_cancel: Callable[[], None], work: "Work") -> None:
        self.name, self.on_cancel, self.cancelled, self._work = name, on_cancel, False, work

    def check(self) -> None:
        """Raise `Cancelled` when nobody waits for it any more."""
        if self.cancelled:
            raise Cancelled

    def tell(self, change: Callable[[], None], *, last: bool = False) -> None:
        """Let a change of state happen, whole or not at all; after the ``last`` one other work may begin at once.

        Raises:
            Cancelled: it was cancelled before.
        """
        with self._work.changes:
            self.check()
            if last and self._work.task is self:
                self._work.task = None
            change()


Job = Callable[[Task], None]


class Work:
    """Runs one task at a time; ``on_change`` hears when one begins and when it has ended."""

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self.on_change, self.task = on_change, None  # type: Callable[[], None], Task | None
        self._turn = threading.Lock()  # held while the model is at work, also on something cancelled
        self.changes = threading.RLock()  # held while a state changes, or is shown
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> str:
        """The name of what is under way, empty when nothing is."""
        task = self.task
        return task.name if task else ""

    def run(self, name: str, job: Job, on_cancel: Callable[[], None]) -> None:
        """Do it here and now, after what is under way."""
        task = Task(name, on_cancel, self)
        with self._turn:
            with self.changes:
                self.task = task
            self._do(task, job)

    def start(self, name: str, job: Job, on_cancel: Callable[[], None]) -> bool:
        """Do it in a thread; False, and nothing happens, while something else is under way."""
        task = Task(name, on_cancel, self)
        with self.changes:
            if self.task is not None:
                return False
            self.task = task
            self.on_change()
            # messages to the page carry the click that they answer: it stands in the context
            context = contextvars.copy_context()
            self._thread = threading.Thread(target=context.run, args=(self._wait_and_do, task, job), daemon=True)
            self._thread.start()
        return True

    def cancel(self) -> bool:
        """Take back what is under way; False when nothing is."""
        with self.changes:
            task, self.task = self.task, None
            if task is None:
                return False
            task.cancelled = True
            task.on_cancel()
            self.on_change()
        return True

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the thread started last has ended; whether it has."""
        if (thread := self._thread) is not None:
            thread.join(seconds)
        return thread is None or not thread.is_alive()

    def _wait_and_do(self, task: Task, job: Job) -> None:
        with self._turn:
            self._do(task, job)

    def _do(self, task: Task, job: Job) -> None:
        try:
            if not task.cancelled:
                job(task)
        except Cancelled:
            pass
        finally:
            with self.changes:
                if self.task is task:
                    self.task = None
                    self.on_change()
