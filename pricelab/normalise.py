"""Bring an executed notebook into the one form in which it is committed.

`normalise` cleans what `notebooks` executed, for ``pricelab run --in-place``. `source_hash` tells whether
committed outputs still belong to their cells: a test compares it with the hash that the notebook records.
"""

import base64
import copy
import hashlib
import json
import os
import platform
from pathlib import Path
from typing import Any

WIDGET_TYPE = "application/vnd.jupyter.widget-view+json"
FIGURE_COLOURS = 256  # a palette: all that charts and forms need, and a third of the bytes
KEPT_CELL_METADATA = ("cellView", "jupyter", "pricelab", "tags")


def source_hash(notebook: Any) -> str:
    """SHA-256 over the types, ids and sources of the cells, in order; outputs don't count."""
    cells = [[cell["cell_type"], cell.get("id", ""), _joined(cell["source"])] for cell in notebook["cells"]]
    return hashlib.sha256(json.dumps(cells, ensure_ascii=False).encode()).hexdigest()


def normalise(notebook: Any, profile: str, *, images: Path, machine: str = "", seconds: float = 0.0) -> Any:
    """The executed ``notebook`` as it is committed; the given one is left as it was.

    Ids stay; counts run 1…n; widget state, stderr, transient metadata and overwritten progress lines go. A
    cell's widget becomes the picture in ``images`` that the cell's metadata names, as in
    ``{"pricelab": {"picture": "predictor.png"}}``, or goes as well. ``metadata.pricelab`` records the hash of
    the source, the profile, the machine and the seconds that the execution took. Raises `ValueError` when a named
    picture is missing.
    """
    result = copy.deepcopy(notebook)
    count = 0
    for cell in result.cells:
        cell.metadata = {key: cell.metadata[key] for key in KEPT_CELL_METADATA if key in cell.metadata}
        if cell.cell_type != "code":
            continue
        ran = bool(cell.source.strip())
        count += ran
        cell.execution_count = count if ran else None
        cell.outputs = _clean_outputs(cell, images)
    result.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "pricelab": {
            "source_hash": source_hash(result),
            "profile": profile,
            "machine": machine or this_machine(),
            "seconds": round(seconds),
        },
    }
    return result


def this_machine() -> str:
    """This machine in words, for timings: cores, memory, GPU, system."""
    import psutil
    import torch

    parts = [f"{os.cpu_count()} cores", f"{psutil.virtual_memory().total / 1e9:.0f} GB", platform.machine()]
    if torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return ", ".join([*parts, platform.system()])


def _clean_outputs(cell: Any, images: Path) -> list[Any]:
    picture = cell.metadata.get("pricelab", {}).get("picture")
    kept: list[Any] = []
    for output in cell.outputs:
        if output.output_type == "stream":
            output.text = collapse(_joined(output.text))
            if output.name == "stderr" or not output.text:
                continue
        elif WIDGET_TYPE in output.get("data", {}):
            if picture is None:
                continue
            output.data, picture = _embedded(images / picture), None
        if "image/png" in output.get("data", {}):
            output.data["image/png"] = few_colours(output.data["image/png"])
        if "metadata" in output:
            output.metadata = {}
        if output.output_type == "execute_result":
            output.execution_count = cell.execution_count
        kept.append(output)
    return kept


def few_colours(png: str) -> str:
    """A PNG (base64) with a palette of 256 colours instead of millions; as it was, where that saves nothing."""
    import io

    from PIL import Image

    small = io.BytesIO()
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    flat = picture.quantize(FIGURE_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    flat.save(small, "PNG", optimize=True)
    shorter = base64.b64encode(small.getvalue()).decode()
    return shorter if len(shorter) < len(png) else png


def collapse(text: str) -> str:
    """What a terminal would still show of each line: what follows its last carriage return."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)


def _embedded(picture: Path) -> dict[str, str]:
    if not picture.is_file():
        raise ValueError(
            f"a cell's metadata names the picture {picture.name}, but {picture.parent} has none of that name"
        )
    return {"image/png": base64.b64encode(picture.read_bytes()).decode(), "text/plain": f"<{picture.name}>"}


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)
