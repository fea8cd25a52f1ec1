"""The command `app`: the price predictor as a web page; `cli` adds it to the others."""

from pathlib import Path
from typing import Annotated

import typer

from pricelab import cli_serving


def app(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]", help="A folder that `pricelab finetune` wrote. Default: the predictor that ships."
        ),
    ] = None,
    host: cli_serving.Host = "127.0.0.1",
    port: cli_serving.Port = 8866,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser here.")] = True,
) -> None:
    """Show the price predictor as a web page without any code, until Ctrl-C; takes the extra `app`.

    Example: pricelab app

    Example: pricelab app runs/shop --port 9000 --no-browser
    """
    from pricelab.app import serve_app
    from pricelab.needs import need

    serve_app(folder or need("adapter folder"), host=host, port=port, browser=browser)
