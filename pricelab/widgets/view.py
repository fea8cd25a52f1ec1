"""What all widgets share: their look, text made safe for a page, and how a widget shows itself.

ipywidgets puts HTML into the page as it is, so every text from outside passes ``shown``. Everything is drawn in the
page's own text colour, so it reads in a light and in a dark theme, and is told apart by words and form as well as by
colour.
"""

import html
import re
import sys
from collections.abc import Iterable
from typing import Any

from pricelab.plots import BLUE, VERMILION

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

RULES = f"""
.pricelab {{ max-width: 60rem; padding: 0.3rem; box-sizing: border-box; }}
.pricelab .pricelab-ask {{ background: {BLUE}; color: #fff; font-weight: 600; padding: 0 1.2em; }}
.pricelab .pricelab-ask:disabled {{ background: #565656; color: #fff; opacity: 1; }}
.pricelab :is(button, textarea, select, input, summary):focus-visible, .pricelab .noUi-handle:focus-visible {{
  outline: 3px solid {VERMILION}; outline-offset: 1px; }}
.pricelab-out {{ line-height: 1.45; overflow-wrap: anywhere; }}
.pricelab-out p {{ margin: 0.2em 0; }}
.pricelab-out .pricelab-headline {{ font-size: 1.15em; font-weight: 600; margin: 0.2em 0 0.5em; }}
.pricelab :is(.widget-dropdown, .widget-text) {{ flex-direction: column; align-items: stretch; width: auto;
  height: auto; }}
.pricelab :is(.widget-dropdown, .widget-text) .widget-label {{ text-align: left; width: auto; height: auto;
  font-weight: 600; white-space: normal; line-height: 1.35; }}
.pricelab :is(.widget-dropdown select, .widget-text input) {{ flex: none; height: 2.2em; width: 100%;
  text-overflow: ellipsis; }}
.pricelab-name {{ font-weight: 600; }}
.pricelab-note {{ border-left: 4px solid {VERMILION}; padding-left: 0.6em; }}
"""


def style(*rules: str) -> str:
    """The style element of a widget: what all share, then its own rules."""
    return f"<style>{RULES}{''.join(rules)}</style>"


def shown(text: object) -> str:
    """Text made safe to stand in HTML, and shown as it is: control characters become their visible signs."""
    return html.escape("".join(map(_visible, str(text))))


def _visible(character: str) -> str:
    code = ord(character)
    if code < 32 and character not in "\t\n":
        return chr(0x2400 + code)
    return "\ufffd" if 0xD800 <= code < 0xE000 else character  # half a character cannot be sent


def without_formulas(page: str) -> str:
    """HTML whose dollar signs stand alone, so that no page sets what is between two of them as a formula."""
    return re.sub(r">[^<]+", lambda text: text[0].replace("$", "<span>$</span>"), page)


def keep_order(widgets: Iterable[Any]) -> None:
    """Keep a change of one control ahead of the click on another that follows it.

    ipykernel 7.4 hands a widget's messages to the thread that last wrote to that widget. Controls written to at
    different times end up in two threads, and a click could overtake the text before it: write to all.
    """
    for widget in widgets:
        widget.send_state("disabled")


class Form:
    """Shows ``view`` where widgets run; elsewhere ``static()``, or ``repr(self)`` where there is no HTML either."""

    view: Any  # the outermost widget

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        view = {"version_major": 2, "version_minor": 0, "model_id": self.view.model_id}
        bundle = {"text/plain": repr(self), WIDGET_VIEW: view}
        if "google.colab" not in sys.modules:  # Colab runs widgets; whether it prefers them to HTML isn't documented
            bundle["text/html"] = without_formulas(self.static())
        return bundle

    def static(self) -> str:
        """The form as HTML that does nothing, for where widgets don't run."""
        return f"<pre>{shown(repr(self))}</pre>"

    def _how(self) -> str:
        """What to say where widgets do not run, for example in a notebook that is only read."""
        return f"{type(self).__name__}: a form that shows where widgets run; execute this cell in JupyterLab or Colab."
