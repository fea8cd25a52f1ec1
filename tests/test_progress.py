"""What is seen while a model trains: a line on a terminal, a plot in a notebook."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricelab import progress
from pricelab.progress import BARS, LossDisplay, sparkline


@pytest.mark.parametrize(
    ("values", "bars"), [([], ""), ([1.0], "▁"), ([2, 2, 2], "▁▁▁"), ([0, 7], "▁█"), (list(range(8)), BARS)]
)
def test_a_sparkline_spans_from_the_lowest_to_the_highest_bar(values, bars):
    assert sparkline(values) == bars


@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=300), width=st.integers(1, 40))
def test_a_sparkline_never_outgrows_its_width(values, width):
    line = sparkline(values, width)
    assert 1 <= len(line) <= width and set(line) <= set(BARS)


def play(display, losses, done=()):
    """A training of ``len(losses)`` steps after the steps ``done`` before a resume."""
    history = [{"loss": loss} for loss in done]
    state = SimpleNamespace(max_steps=len(done) + len(losses), global_step=len(done), log_history=history)
    display.on_train_begin(None, state, None)
    for loss in losses:
        state.global_step += 1
        display.on_log(None, state, None, logs={"loss": loss})
    display.on_log(None, state, None, logs={"train_runtime": 1.0})
    display.on_train_end(None, state, None)


def test_a_terminal_shows_steps_and_loss(capsys):
    play(display := LossDisplay(), [3.0, 2.0, 1.5])
    shown = capsys.readouterr().err
    assert "training: 100%" in shown and "3/3" in shown and "loss 1.500" in shown
    assert display.losses == [3.0, 2.0, 1.5]


def test_a_resumed_training_goes_on_where_it_was(capsys):
    play(display := LossDisplay(), [1.0], done=[3.0, 2.0])
    shown = capsys.readouterr().err
    assert "2/3" in shown and "3/3" in shown and "1/3" not in shown
    assert display.losses == [3.0, 2.0, 1.0]


def test_a_notebook_shows_a_plot_that_is_redrawn_and_no_bar(monkeypatch, capsys):
    import IPython.display
    from matplotlib.figure import Figure

    drawn = []
    handle = SimpleNamespace(update=drawn.append)
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    monkeypatch.setattr(IPython.display, "display", lambda *shown, display_id: handle)
    monkeypatch.setattr(progress, "REFRESH_SECONDS", -1.0)
    play(LossDisplay(), [3.0, 2.0])
    assert len(drawn) == 3 and all(isinstance(figure, Figure) for figure in drawn)
    assert "step 2 of 2" in drawn[-1].axes[0].get_title(loc="left") + drawn[-1].axes[0].get_title()
    assert "training" not in capsys.readouterr().err


def test_a_notebook_is_not_flooded_with_plots(monkeypatch):
    import IPython.display

    drawn = []
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    monkeypatch.setattr(IPython.display, "display", lambda *_, display_id: SimpleNamespace(update=drawn.append))
    monkeypatch.setattr(progress, "REFRESH_SECONDS", 1e9)
    display = LossDisplay()
    display.drawn = 1e12  # just now
    monkeypatch.setattr(progress.time, "monotonic", lambda: 1e12)
    play(display, [2.0] * 20)
    assert len(drawn) == 1  # the finished plot
