"""Notebook 05's figures: what is drawn, with units, and nothing left behind in pyplot."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from drawing import renders, words
from hypothesis import given
from hypothesis import strategies as st

from pricelab.plots import panels
from pricelab.plots.lora import best_errors, rank_sweep, scale_path, size_table, thin_matrices, update_sizes

MODULES = ("self_attn.q_proj", "self_attn.v_proj", "mlp.up_proj")
SIZES = {
    f"base_model.model.model.layers.{block}.{module}": 0.01 * (block + 1) * (place + 1)
    for block in range(4)
    for place, module in enumerate(MODULES)
}
FAST = 2.0 ** (-np.arange(12) / 2)


def estimate(dollars):
    distribution = np.zeros(999)
    distribution[dollars - 11 : dollars + 10] = 1 / 21
    prices = np.arange(1, 1000)
    return SimpleNamespace(estimate=float(dollars), low=1.0, high=999.0, distribution=distribution, prices=prices)


def sweep():
    flat = np.linspace(3, 1, 12)
    return rank_sweep({name: (s, {2: best_errors(s)[2], 4: 0.9}) for name, s in {"fast": FAST, "in $": flat}.items()})


FIGURES = {
    "rank_sweep": sweep,
    "thin_matrices": partial(thin_matrices, 64, 48, 4),
    "update_sizes": partial(update_sizes, SIZES),
    "scale_path": partial(scale_path, {1: estimate(180), 0: estimate(20), 0.5: estimate(250)}, truth=187),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_renders_with_labelled_axes_and_leaves_no_state(name):
    assert renders(FIGURES[name], no_y_label=name in ("update_sizes", "thin_matrices"))


@pytest.mark.parametrize("name", ["update_sizes", "scale_path", "thin_matrices"])
def test_a_figure_can_be_drawn_on_a_panel(name):
    figure, (left, right) = panels(2)
    assert FIGURES[name](ax=right) is figure
    assert right.has_data() and not left.has_data()


# ---- the least error of a rank


def test_known_errors():
    assert np.allclose(best_errors([4, 3]), [1, 0.6, 0])


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=8), st.integers(0, 9))
def test_no_rank_does_better_than_the_truncated_decomposition(singular_values, seed):
    rng = np.random.default_rng(seed)
    size = len(singular_values)
    left, right = (np.linalg.qr(rng.normal(size=(size + extra, size)))[0] for extra in (2, 0))
    target, values = left * singular_values @ right.T, np.sort(singular_values)[::-1]
    best = best_errors(singular_values)
    assert best[0] == 1 and best[-1] == 0 and (np.diff(best) <= 0).all()
    u, s, v = np.linalg.svd(target, full_matrices=False)
    assert np.allclose(s, values)
    for rank in range(1, size):
        truncated = u[:, :rank] * s[:rank] @ v[:rank]
        assert np.isclose(np.linalg.norm(target - truncated) / np.linalg.norm(target), best[rank], atol=1e-7)
        other = rng.normal(size=(size + 2, rank)) @ rng.normal(size=(rank, size))
        assert np.linalg.norm(target - other) / np.linalg.norm(target) >= best[rank] - 1e-9


# ---- what is drawn


def test_the_sweep_draws_the_bound_as_a_line_and_the_trained_ranks_as_points():
    decay, error = sweep().axes
    assert np.allclose(decay.lines[0].get_ydata(), FAST)
    bound, points = error.lines[:2]
    assert np.allclose(bound.get_ydata(), best_errors(FAST))
    assert list(points.get_xdata()) == [2, 4] and points.get_linestyle() == "None"
    assert (
        len({line.get_color() for line in error.lines}) == len({line.get_marker() for line in error.lines[1::2]}) == 2
    )


def test_sizes_find_their_place_by_name():
    modules, table = size_table(SIZES)
    assert modules == ["q_proj", "v_proj", "up_proj"] and table.shape == (3, 4)
    assert table[2, 3] == SIZES["base_model.model.model.layers.3.mlp.up_proj"]


def test_a_layer_without_an_adapter_stays_empty():
    _, table = size_table({"layers.0.mlp.up_proj": 1.0, "layers.2.mlp.down_proj": 0.5})
    assert np.isnan(table).tolist() == [[False, True, True], [True, True, False]]


def test_a_name_without_a_block_is_refused():
    with pytest.raises(ValueError, match="'lm_head' has no place in a block"):
        size_table({"lm_head": 1.0})


def test_the_heat_map_is_in_percent_and_starts_at_zero():
    figure = FIGURES["update_sizes"]()
    picture = figure.axes[0].images[0]
    assert np.allclose(picture.get_array(), 100 * size_table(SIZES)[1])
    assert picture.get_clim() == (0, pytest.approx(12.0))
    assert "% of W" in words(figure)


def test_the_path_goes_from_left_to_right_with_a_band_of_each_distribution_itself():
    figure = FIGURES["scale_path"]()
    axes = figure.axes[0]
    median = next(line for line in axes.lines if line.get_label() == "median")
    assert list(median.get_xdata()) == [0, 0.5, 1] and list(median.get_ydata()) == [20, 250, 180]
    edges = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert 10 < edges.min() < 20 and 250 < edges.max() < 260  # the distributions', not the estimates' low and high
    assert r"true price \$187" in words(figure) and "untuned" in words(figure)


def test_the_matrices_are_drawn_to_scale_with_what_they_count():
    axes = thin_matrices(64, 48, 4).axes[0]
    sides = [(box.get_width(), box.get_height()) for box in axes.patches]
    assert sides == [(48, 64), (4, 64), (48, 4)] and axes.get_aspect() == 1
    assert "448 numbers learn beside 3,072" in axes.get_title(loc="left")
