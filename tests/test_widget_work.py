"""One piece of work at a time, and Cancel: what was taken back changes nothing any more, however late it ends."""

import contextvars
import threading

import pytest

from pricelab.widgets.predictor_work import Cancelled, Work


class Slow:
    """A job that waits for `release`, then writes what it has to say; `begun` is set when it is at work."""

    def __init__(self, words):
        self.words, self.said = words, []
        self.begun, self.release = threading.Event(), threading.Event()

    def __call__(self, task):
        self.begun.set()
        assert self.release.wait(10)
        task.tell(lambda: self.said.append(self.words))

    def gone(self):
        self.said.append("cancelled")


def test_while_one_works_no_other_starts_and_the_caller_does_not_wait():
    work, first, second = Work(), Slow("one"), Slow("two")
    assert work.start("first", first, first.gone) and first.begun.wait(10)
    assert work.busy == "first" and first.said == []
    assert not work.start("second", second, second.gone)
    first.release.set()
    assert work.wait(10) and work.busy == "" and first.said == ["one"] and second.said == []


def test_cancel_is_told_at_once_and_what_comes_late_is_dropped():
    work, job = Work(), Slow("too late")
    work.start("job", job, job.gone)
    assert job.begun.wait(10) and work.cancel()
    assert job.said == ["cancelled"] and work.busy == ""
    job.release.set()
    assert work.wait(10) and job.said == ["cancelled"]
    assert not work.cancel()


def test_after_a_cancel_the_next_waits_for_the_model_and_then_works():
    work, old, new = Work(), Slow("old"), Slow("new")
    work.start("old", old, old.gone)
    assert old.begun.wait(10) and work.cancel()
    assert work.start("new", new, new.gone) and work.busy == "new"
    assert not new.begun.wait(0.05)  # the model is still at work on the old one
    old.release.set()
    new.release.set()
    assert work.wait(10) and new.said == ["new"] and old.said == ["cancelled"]


def test_what_is_cancelled_before_its_turn_never_begins():
    work, old, new = Work(), Slow("old"), Slow("new")
    work.start("old", old, old.gone)
    assert old.begun.wait(10)
    work.cancel()
    work.start("new", new, new.gone)
    work.cancel()
    old.release.set()
    assert work.wait(10) and not new.begun.is_set() and new.said == ["cancelled"]


def test_a_cell_waits_its_turn_and_works_in_its_own_thread():
    work, slow, threads = Work(), Slow("slow"), []
    work.start("slow", slow, slow.gone)
    assert slow.begun.wait(10)
    slow.release.set()
    work.run("cell", lambda task: threads.append(threading.current_thread()), lambda: None)
    assert threads == [threading.current_thread()] and slow.said == ["slow"] and work.busy == ""


def test_a_failure_leaves_the_work_free_for_the_next():
    def failing(task):
        raise RuntimeError("no memory")

    work, said = Work(), []
    with pytest.raises(RuntimeError, match="no memory"):
        work.run("failing", failing, lambda: None)
    work.run("next", lambda task: task.tell(lambda: said.append("next")), lambda: None)
    assert said == ["next"]


def test_a_cancelled_task_may_not_change_anything():
    work, found = Work(), []

    def job(task):
        work.cancel()
        with pytest.raises(Cancelled):
            task.tell(lambda: found.append("changed"))
        found.append("refused")

    work.run("job", job, lambda: found.append("cancelled"))
    assert found == ["cancelled", "refused"]


def test_with_its_last_change_the_next_may_begin():
    work, busy = Work(), []
    work.run("job", lambda task: task.tell(lambda: busy.append(work.busy), last=True), lambda: None)
    assert busy == [""]


def test_the_thread_answers_in_the_context_of_the_click():
    clicked, seen = contextvars.ContextVar("clicked", default=""), []
    work = Work()
    clicked.set("this click")
    work.start("job", lambda task: seen.append(clicked.get()), lambda: None)
    assert work.wait(10) and seen == ["this click"]


def test_begin_and_end_are_announced():
    work, states = Work(), []
    work.on_change = lambda: states.append(work.busy)
    work.start("job", lambda task: None, lambda: None)
    assert work.wait(10) and states == ["job", ""]
