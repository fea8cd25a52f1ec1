"""Write numbers the way shops do: sizes in many units, counted nouns, pack counts. Introduced in notebook 02."""

from pricelab.workshop.dice import Dice
from pricelab.workshop.tables import Size, Tables, Unit

NUMBER_WORDS = (
    "",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
FIRST_UNIT_SHARE = 0.6  # the unit that stands first in units.csv is the usual one
TWO_UNITS_SHARE = 0.2
WORD_SHARE = 0.25


def number_text(value: float, decimals: int, dice: Dice) -> str:
    """A number as shops write it: no trailing zeros, thousands sometimes with a comma."""
    text = f"{value:,.{decimals}f}" if dice.chance(0.5) else f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def size_text(size: Size, value: float, tables: Tables, dice: Dice, before_noun: bool) -> str:
    """The size in one of its units, at times in two: "1.7-liter", "8 in (20.3 cm)", "6-drawer", "six drawers"."""
    if size.kind not in tables.units:
        return _counted(value, size.kind, dice, before_noun)
    units = [unit for unit in tables.units[size.kind] if unit.low <= value <= unit.high]
    unit = units[0] if dice.chance(FIRST_UNIT_SHARE) else dice.pick(units)
    text = _in_unit(unit, value, dice, before_noun)
    others = [other for other in units if other.factor != unit.factor]
    if others and not before_noun and dice.chance(TWO_UNITS_SHARE):
        text += f" ({_in_unit(dice.pick(others), value, dice, before_noun)})"
    return text


def _in_unit(unit: Unit, value: float, dice: Dice, before_noun: bool) -> str:
    number = value * unit.factor
    form = dice.pick(unit.before if before_noun else unit.after)
    return form.replace("#", number_text(number, unit.decimals if number < 100 else 0, dice))


def _counted(value: float, noun: str, dice: Dice, before_noun: bool) -> str:
    word = value < len(NUMBER_WORDS) and dice.chance(WORD_SHARE)
    number = NUMBER_WORDS[int(value)] if word else number_text(value, 0, dice)
    if before_noun:
        return f"{number}-{noun}"
    return f"{number} {noun}" if value == 1 else f"{number} {noun}s"


def labelled_size(size: Size, value: float, tables: Tables, dice: Dice) -> str:
    """The size with its label: "capacity: 57 oz", "drawers: 6"."""
    text = size_text(size, value, tables, dice, before_noun=False)
    if size.label == "count":
        return text
    if size.label.startswith(size.kind[:4]):  # "drawers: 6", not "drawers: 6 drawers"
        text = text.split(" ")[0]
    return f"{size.label}{dice.pick((': ', ' '))}{text}"


def pack_text(pack: int, tables: Tables, dice: Dice) -> str:
    """How many come together: "6-pack", "set of six", "6 ct"."""
    return dice.pick(tables.phrases["pack"]).format(n=pack, word=NUMBER_WORDS[pack] if pack <= 12 else pack)
