"""The command `kit`: everything for a room without a network; `cli` adds it to the others."""

from pathlib import Path
from typing import Annotated

import typer

from pricelab.cli_options import JsonFlag, as_json_text


def kit(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new folder, or a half-done kit to go on with.")],
    as_json: JsonFlag = False,
) -> None:
    """Pack wheels, weights and notebooks into a folder that installs without a network.

    The wheels fit this system and this Python: pack on a machine like those of the room. With torch's CPU build a kit
    holds 0.6 GB, with CUDA several times that. Interrupted, the same command goes on. docs/workshop/ says when to pack
    and what to check.

    Example: pricelab kit --out /media/stick/pricelab
    """
    import sys
    from dataclasses import asdict

    from pricelab.kit import pack

    packed = pack(out, say=lambda text: print(text, file=sys.stderr))
    print(as_json_text(asdict(packed)) if as_json else packed)
