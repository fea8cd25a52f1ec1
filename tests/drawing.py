"""What the tests of all figures share."""

import io

import matplotlib.text


def words(figure):
    """All text of a figure, a line each."""
    figure.draw_without_rendering()
    return "\n".join(one.get_text() for one in figure.findobj(matplotlib.text.Text))


def renders(draw, no_y_label=False):
    """Whether a figure becomes a PNG with title and labels on all its axes and leaves nothing behind in pyplot."""
    import matplotlib.pyplot as plt

    before, picture = dict(plt.rcParams), io.BytesIO()
    figure = draw()
    figure.savefig(picture, format="png")
    assert picture.getvalue().startswith(b"\x89PNG")
    for axes in (one for one in figure.axes if one.get_label() != "<colorbar>"):
        assert axes.get_title(loc="left") and axes.get_xlabel() and (axes.get_ylabel() or no_y_label)
    assert plt.get_fignums() == [] and dict(plt.rcParams) == before
    return True
