"""Large numbers as people say them: counts, FLOPs, bytes, seconds, dollars; decimal units, three digits."""

import math

PREFIXES = (
    (1e24, "Y"), (1e21, "Z"), (1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""),
)  # fmt: skip
COUNTS = ((1e12, " T"), (1e9, " B"), (1e6, " M"), (1e3, " k"), (1.0, ""))
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
TIMES = ((31_557_600.0, " years"), (86_400.0, " days"), (3_600.0, " h"), (60.0, " min"), (1.0, " s"), (1e-3, " ms"))


def human_number(count: float) -> str:
    """A count in thousands (k), millions (M), billions (B) or trillions (T): ``"8.03 B"``."""
    return _scaled(count, COUNTS)


def human_flops(flops: float) -> str:
    """Floating-point operations as papers write them: ``"3.8 × 10²⁵ FLOPs"``; plain below a million."""
    if not math.isfinite(flops) or abs(flops) < 1e6:
        return f"{flops:,.3g} FLOPs" if abs(flops) < 1000 else f"{flops:,.0f} FLOPs"
    digits, _, power = f"{flops:.2e}".partition("e")
    return f"{float(digits):g} × 10{str(int(power)).translate(SUPERSCRIPTS)} FLOPs"


def human_speed(flops_per_second: float) -> str:
    """Operations a second with a prefix: ``"312 TFLOP/s"``."""
    return _scaled(flops_per_second, tuple((factor, f" {prefix}FLOP/s") for factor, prefix in PREFIXES))


def human_bytes(count: float) -> str:
    """Bytes in decimal units, as disks and datasheets count: ``"16.1 GB"``."""
    return _scaled(count, tuple((factor, f" {prefix}B") for factor, prefix in PREFIXES))


def human_seconds(seconds: float) -> str:
    """A time in the largest unit that it fills: ``"3.5 min"``, ``"12.1 years"``."""
    return _scaled(seconds, TIMES)


def human_rate(rate: float) -> str:
    """A learning rate as it is typed: ``"1e-3"``, ``"3e-4"``, ``"2.5e-5"``; from 1 on a plain number."""
    if not math.isfinite(rate) or not 0 < rate < 1:
        return f"{rate:g}"
    digits, _, power = f"{rate:e}".partition("e")
    return f"{float(digits):g}e{int(power)}"


def human_usd(dollars: float) -> str:
    """Dollars with as many digits as matter: ``"$0.012"``, ``"$3.95"``, ``"$122 M"``; below a tenth of a cent so."""
    if 0 < dollars < 0.001:
        return "under $0.001"
    if 0.1 <= dollars < 1000:
        return f"${dollars:,.2f}"
    return f"${_scaled(dollars, COUNTS)}"


def _scaled(value: float, units: tuple[tuple[float, str], ...]) -> str:
    """``value`` in the largest of ``units`` that it fills, with three significant digits, thousands separated."""
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return f"0{next(word for factor, word in units if factor == 1)}"
    rounded = float(f"{value:.3g}")  # first, so that 999.9 k is 1 M
    factor, word = next((unit for unit in units if abs(rounded) >= unit[0]), units[-1])
    number = rounded / factor
    return f"{number:,.0f}{word}" if abs(number) >= 100 else f"{number:.3g}{word}"
