"""The budget explorer's answer as HTML: does it fit, what does it cost, where does the memory go, by which formulas.

The parts of the memory are told apart by pattern and name as well as by colour. Every text passes ``view.shown``.
"""

from pricelab.costs import Budget, human_bytes, human_flops, human_number, human_seconds, human_usd
from pricelab.costs.budget import USABLE
from pricelab.plots import usd
from pricelab.plots.style import BLUE, GREEN, ORANGE, PURPLE, VERMILION
from pricelab.widgets.view import shown, style

WATT_HOURS = ((1e9, "GWh"), (1e6, "MWh"), (1e3, "kWh"), (0.0, "Wh"))


def _stripes(colour: str, degrees: int, gap: int = 4) -> str:
    return f"repeating-linear-gradient({degrees}deg, {colour} 0 {gap}px, #fff {gap}px {gap + 3}px)"


PATTERNS = {
    "weights": BLUE,
    "gradients": _stripes(VERMILION, 45),
    "optimizer": _stripes(GREEN, 0, 5),
    "activations": _stripes(ORANGE, 90),
    "logits": _stripes(PURPLE, 135, 2),
}
PARTS = {
    "weights": "weights",
    "gradients": "gradients",
    "optimizer": "optimizer state",
    "activations": "activations",
    "logits": "scores of the vocabulary (logits)",
}
FILLS = "".join(f".pricelab-{part} {{ background: {fill}; }}\n" for part, fill in PATTERNS.items())

STYLE = style(f"""
.pricelab .pricelab-knobs {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr));
  gap: 0.3rem 1rem; align-items: start; overflow: visible; }}
.pricelab-out .pricelab-costs {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr));
  gap: 0.5rem; margin: 0 0 0.6rem; padding: 0; list-style: none; }}
.pricelab-costs li {{ border: 1px solid #808080; border-radius: 6px; padding: 0.3rem 0.6rem; }}
.pricelab-out .pricelab-costs p {{ margin: 0; }}
.pricelab-costs .pricelab-value {{ font-size: 1.35em; font-weight: 600; }}
.pricelab-frame {{ position: relative; height: 2.4rem; margin: 0.3rem 0; }}
.pricelab-bar {{ display: flex; height: 100%; }}
.pricelab-bar span {{ box-sizing: border-box; border-right: 1px solid #000; min-width: 1px; }}
.pricelab-device {{ position: absolute; inset: -3px auto -3px 0; border: 2px dashed currentColor;
  box-sizing: border-box; }}
.pricelab-parts {{ display: flex; flex-wrap: wrap; gap: 0.1rem 1.2rem; list-style: none; }}
.pricelab-out .pricelab-parts {{ padding: 0; margin: 0.3rem 0; }}
.pricelab-swatch {{ display: inline-block; width: 1.6em; height: 0.9em; border: 1px solid #000; margin-right: 0.4em; }}
.pricelab-formulas {{ overflow-x: auto; }}
.pricelab-formulas :is(th, td) {{ text-align: left; vertical-align: top; padding: 0.15em 0.7em 0.15em 0; }}
{FILLS}""")


def page(budget: Budget) -> str:
    """Whether it fits, which a screen reader reads out, then the costs and the memory."""
    headline = f'<p class="pricelab-headline" role="status">{shown(verdict(budget))}</p>'
    return _out(f"{headline}{_costs(budget)}{memory(budget)}")


def note(words: str) -> str:
    """A sentence while a measurement runs."""
    return _out(f'<p role="status">{shown(words)}</p>')


def error(words: str) -> str:
    """Why there is no budget, and what to do, read out at once by a screen reader."""
    return _out(f'<p class="pricelab-note" role="alert"><strong>No budget:</strong> <bdi>{shown(words)}</bdi></p>')


def verdict(budget: Budget) -> str:
    """In a sentence, whether the devices hold the plan."""
    device, some = budget.plan.hardware, devices(budget)
    total, each = human_bytes(budget.memory.total), human_bytes(device.memory)
    if not budget.fits:
        usable = f"{USABLE:.0%} of {each}{' each' if budget.devices > 1 else ''}"
        needed = f"{budget.devices_needed:,} of them would do"
        return f"Does not fit: a step takes {total}, {some} can use {usable}; {needed}."
    if budget.devices == 1:
        return f"Fits: a step takes {total} of the {each} of {some}."
    if budget.plan.devices:
        return f"Fits: a step takes {total}, {some} have {each} each."
    return f"Too large for one {device.name}: a step takes {total}, more than {USABLE:.0%} of {each}. It takes {some}."


def devices(budget: Budget) -> str:
    """How many of which device."""
    name = budget.plan.hardware.name
    if budget.devices > 1:
        return f"{budget.devices:,} × {name}"
    return name if budget.plan.hardware.measured else f"one {name}"


def _costs(budget: Budget) -> str:
    device, plan = budget.plan.hardware, budget.plan
    where = f"on {devices(budget)}" + ("" if budget.fits else ", if it fitted")
    tiles = (
        (
            "Arithmetic",
            human_flops(budget.flops).removesuffix(" FLOPs"),
            f"FLOPs for {human_number(plan.tokens)} tokens",
        ),
        ("Time", human_seconds(budget.seconds), where),
        ("Money", human_usd(budget.usd), f"at {usd(device.usd_per_hour)} a device-hour"),
        ("Energy", energy(budget.kwh), f"at {device.watts:g} W a device"),
        ("What you keep", human_bytes(budget.artefact_bytes), "the adapter" if plan.adapts else "all weights"),
        ("Weights that learn", human_number(plan.trainable), f"of {human_number(plan.shape.parameters)}"),
    )
    cells = (
        f'<li><p>{shown(name)}</p><p class="pricelab-value">{shown(value)}</p><p>{shown(beside)}</p></li>'
        for name, value, beside in tiles
    )
    return f'<ul class="pricelab-costs">{"".join(cells)}</ul>'


def energy(kwh: float) -> str:
    """Energy in the largest unit that it fills."""
    factor, unit = next((f, u) for f, u in WATT_HOURS if 1000 * kwh >= f)
    return f"{1000 * kwh / (factor or 1):.3g} {unit}"


def memory(budget: Budget) -> str:
    """The memory by part as a bar inside the frame of the devices' memory, and as a list."""
    device, total = budget.plan.hardware, budget.memory.total
    room = device.memory * budget.devices
    scale = max(room, total)
    parts = [(name, size) for name, size in budget.memory.parts.items() if size > 0]
    spans = (f'<span class="pricelab-{name}" style="width: {size / scale:.2%}"></span>' for name, size in parts)
    items = (
        f'<li><span class="pricelab-swatch pricelab-{name}"></span>{PARTS[name]}: {human_bytes(size)} '
        f"({size / total:.0%})</li>"
        for name, size in parts
    )
    words = ", ".join(f"{PARTS[name]} {human_bytes(size)}" for name, size in parts)
    frame = f'<div class="pricelab-device" style="width: {room / scale:.2%}"></div>'
    return (
        f'<p class="pricelab-name">Memory at the peak: {human_bytes(total)}</p>'
        f'<div class="pricelab-frame" role="img" aria-label="{shown(words)}">'
        f'<div class="pricelab-bar">{"".join(spans)}</div>{frame}</div>'
        f"<p>Dashed frame: {human_bytes(room)}, the memory of {shown(devices(budget))}.</p>"
        f'<ul class="pricelab-parts">{"".join(items)}</ul>'
    )


def formulas(budget: Budget) -> str:
    """Every figure with its formula and its source."""
    rows = "".join(
        f"<tr>{''.join(f'<td>{shown(cell)}</td>' for cell in (row.quantity, row.value, row.formula, row.source))}</tr>"
        for row in budget.explain()
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Quantity", "Value", "Formula", "Source"))
    return _out(
        f'<div class="pricelab-formulas"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _out(content: str) -> str:
    return f'<div class="pricelab-out">{content}</div>'
