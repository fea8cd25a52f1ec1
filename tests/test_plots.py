"""The figures: what is drawn, with units, once, and nothing left behind in pyplot."""

import base64
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from drawing import renders, words
from hypothesis import given
from hypothesis import strategies as st

from pricelab import plots
from pricelab.plots.prices import running_mean
from pricelab.price_format import PriceFormat

ROOT = Path(__file__).parents[1]


def estimate(center=90.0, spread=0.3):
    dollars = np.arange(1, 1000)
    mass = np.exp(-((np.log(dollars / center) / spread) ** 2) / 2) / dollars
    mass /= mass.sum()
    low, middle, high = np.searchsorted(np.cumsum(mass), [0.1, 0.5, 0.9]) + 1.0
    return SimpleNamespace(estimate=middle, low=low, high=high, distribution=mass, prices=dollars, warning=None)


def score(name, value, n=1350):
    return SimpleNamespace(name=name, n=n, mae=SimpleNamespace(value=value, low=value - 5, high=value + 6))


def losses(steps=120):
    rng = np.random.default_rng(0)
    return 2.5 * np.exp(-np.arange(steps) / 30) + 1 + rng.normal(0, 0.15, steps)


def scatter():
    rng = np.random.default_rng(0)
    prices = np.exp(rng.normal(4, 1, 350)).clip(1, 999)
    return prices, (prices * np.exp(rng.normal(0, 0.5, 350))).clip(1, 999)


def leaderboard():
    return [score("constant", 140.2), score("fine-tuned", 61.5), score("TF-IDF + ridge", 70.1)]


FIGURES = {
    "loss_curve": partial(plots.loss_curve, losses()),
    "price_distribution": partial(plots.price_distribution, estimate(), truth=120, other=estimate(200, 1.1)),
    "predicted_against_true": partial(plots.predicted_against_true, *scatter(), floor=31.5),
    "error_bars": partial(plots.error_bars, leaderboard(), floor=31.5),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_renders_with_labelled_axes_and_leaves_no_state(name):
    assert renders(FIGURES[name], no_y_label=name == "error_bars")


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_can_be_drawn_on_a_panel(name):
    figure, (left, right) = plots.panels(2)
    assert FIGURES[name](ax=right) is figure
    assert right.has_data() and not left.has_data()


def test_drawing_on_a_pyplot_panel_releases_it():
    import matplotlib.pyplot as plt

    _, axes = plt.subplots()
    plots.loss_curve([3.0, 2.0], ax=axes)
    assert plt.get_fignums() == []


@given(st.integers(1, 999), st.integers(5, 200))
def test_no_probability_is_lost_on_the_log_axis(dollar, bins):
    distribution = np.zeros(999)
    distribution[dollar - 1] = 1.0
    edges, mass = plots.price_histogram(distribution, bins)
    assert np.isclose(mass.sum(), 1) and (mass >= 0).all() and (np.diff(edges) > 0).all()
    heaviest = np.flatnonzero(mass > 0)
    assert edges[heaviest[0]] <= dollar + 0.5 and edges[heaviest[-1] + 1] >= dollar - 0.5


@pytest.mark.parametrize(
    ("written", "limits", "named"),
    [(PriceFormat(), (1, 1000), 7), (PriceFormat(5), (1, 1e5), 6), (PriceFormat(cents=True), (0.01, 1000), 6)],
    ids=str,
)
def test_axes_reach_as_far_as_the_prices(written, limits, named):
    mass = np.full(len(written.prices), 1 / len(written.prices))
    low, middle, high = np.quantile(written.prices, [0.1, 0.5, 0.9])
    found = SimpleNamespace(estimate=middle, low=low, high=high, distribution=mass, prices=written.prices)
    for figure in (plots.price_distribution(found), plots.predicted_against_true(written.prices, written.prices)):
        axes = figure.axes[0]
        assert axes.get_xlim() == pytest.approx(limits) and len(axes.get_xticks()) == named
        assert axes.get_xticklabels()[-1].get_text() == r"\$" + f"{limits[1]:,.0f}"
    edges, gathered = plots.price_histogram(mass, prices=written.prices)
    assert gathered.sum() == pytest.approx(1) and (edges[0], edges[-1]) == pytest.approx(written.edges[[0, -1]])


def test_the_running_mean_keeps_a_constant_and_smooths_noise():
    assert np.allclose(running_mean(np.full(50, 3.0), 7), 3.0)
    noisy = losses()
    assert np.std(np.diff(running_mean(noisy, 12))) < np.std(np.diff(noisy)) / 3


@pytest.mark.parametrize("few", [[], [2.0], [2.0, 1.0]])
def test_a_short_run_still_has_a_loss_curve(few):
    plots.loss_curve(few).draw_without_rendering()


def test_price_distribution_says_median_interval_and_truth_in_words():
    shown = words(plots.price_distribution(estimate(), truth=120))
    assert r"median \$90" in shown and r"true price \$120" in shown and "80 % interval" in shown


def test_items_without_an_answer_are_counted_and_not_drawn():
    figure = plots.predicted_against_true([10, 20, 30], [11, np.nan, 33])
    assert "n = 3, 1 without an answer" in words(figure)
    assert len(figure.axes[0].lines[0].get_xdata()) == 2
    assert r"mean abs. error \$2" in words(figure)


def test_the_leaderboard_puts_the_smallest_error_on_top():
    figure = FIGURES["error_bars"]()
    axes = figure.axes[0]
    assert [label.get_text().split("  ")[0] for label in axes.get_yticklabels()][0] == "fine-tuned"
    assert axes.yaxis_inverted() and "n = 1,350" in axes.get_title(loc="left")


def test_rows_with_other_counts_are_said_to_differ():
    figure = plots.error_bars([score("a", 1.0, 3), score("b", 2.0, 4), score("c", 3.0, 4)])
    shown = words(figure)
    assert "2 sets of items" in shown and "items A, n = 4" in shown and "items B, n = 3" in shown
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["b", "c", "a"], "the larger set on top"
    assert len({bar.get_hatch() for bar in figure.axes[0].patches}) == 2


def test_scores_of_other_items_are_a_set_of_their_own_though_as_many():
    one, other = score("a", 1.0), score("b", 2.0)
    one.items, other.items = "0f", "1f"
    assert "2 sets of items" in words(plots.error_bars([one, other]))
    plots.error_bars([score("silent", float("nan"))]).draw_without_rendering()


@pytest.mark.parametrize(
    ("dollars", "text"),
    [(89.4, "$89"), (1299, "$1,299"), (4.5, "$4.50"), (5, "$5"), (0.4, "$0.40"), (float("nan"), "no price")],
)
def test_dollars_are_written_as_in_a_shop(dollars, text):
    assert plots.usd(dollars) == text


def test_a_name_with_dollar_signs_is_not_read_as_a_formula():
    plots.error_bars([score("under $10 or $\\frac$", 3.0)]).draw_without_rendering()


LAST_LINES = [
    "plots.loss_curve([3, 2, 1])",
    "_, (one, two) = plots.panels(2); plots.loss_curve([3, 2], ax=one); plots.loss_curve([3, 2], ax=two)",
    "import matplotlib.pyplot as plt; plots.loss_curve([3, 2], ax=plt.subplots()[1])",
]


def test_a_notebook_shows_each_figure_once():
    import nbformat
    from nbclient import NotebookClient

    sources = [f"from pricelab import plots; {line}" for line in LAST_LINES]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    for cell in notebook.cells:
        assert len(cell.outputs) == 1, cell.source
        assert base64.b64decode(cell.outputs[0].data["image/png"]).startswith(b"\x89PNG")
