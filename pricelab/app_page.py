"""What the page of `pricelab app` shows: the price predictor of one run, or in words why there is none.

The page is a notebook of one cell that nobody sees, executed by a kernel of its own for each visitor; serving it is
left to `app`, the form itself to `widgets`.
"""

from pathlib import Path
from typing import Any

TITLE = "What is this worth?"
WORDS = (
    "Describe a product, and {name} estimates its price in US dollars, with the interval that holds 80 % of such "
    "prices. A classroom model: an estimate, not an offer."
)


def notebook(folder: Path, name: str) -> Any:
    """The page for the run in ``folder``, whose predictor goes by ``name``."""
    import nbformat

    cell = nbformat.v4.new_code_cell(f"from pricelab.app_page import show\n\nshow({str(folder)!r})")
    page = nbformat.v4.new_notebook(cells=[cell])
    page.metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
        "title": TITLE,
        "pricelab": {"words": WORDS.format(name=name)},
    }
    return page


def show(folder: str) -> None:
    """Load the run in ``folder`` and display its predictor; what goes wrong is told in words, not as a traceback."""
    from IPython.display import HTML, display

    from pricelab.pricer import Pricer
    from pricelab.show import html_text
    from pricelab.widgets import PricePredictor

    try:
        form = PricePredictor(Pricer.load(folder))
    except Exception as problem:  # whoever looks at the page can't read the terminal
        words = html_text(str(problem) or type(problem).__name__)
        display(HTML(f'<p role="alert"><strong>The predictor did not load:</strong> {words}</p>'))
    else:
        display(form)
