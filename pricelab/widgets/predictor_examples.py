"""Descriptions to try the price predictor with, by category; short labels for a person's own.

Products as shops list them, none from the workshop's catalog.
"""

from collections.abc import Mapping, Sequence

LABEL_CHARACTERS = 32

Examples = Mapping[str, Mapping[str, str]]  # category → label → description

EXAMPLES: Examples = {
    "tools": {
        "Cordless drill driver kit": "Cordless drill driver kit\n"
        "18 V brushless motor, two 2.0 Ah batteries, charger and carry case. New.",
        "Socket set": "Socket and ratchet set, 94 pieces, 1/4 and 1/2 inch drive, chrome vanadium steel, in a case",
        "Step ladder": "Aluminium step ladder, 5 treads, folding, non-slip feet, load up to 150 kg",
    },
    "kitchen": {
        "Electric kettle": "Electric kettle, stainless steel, 1.7 l, 2200 W, auto shut-off",
        "Chef's knife": "Chef's knife, 20 cm blade, forged high-carbon steel, riveted wooden handle",
        "Espresso machine": "Espresso machine with milk frother\n"
        "15 bar pump, 1.5 l water tank, stainless steel. Open box.",
    },
    "office and computers": {
        "Office chair, refurbished": "Ergonomic office chair, mesh back, adjustable arms, black. Refurbished.",
        "Ballpoint pens": "Ballpoint pens, medium tip, blue ink, pack of 12",
        "Wireless mouse": "Wireless optical mouse, 1600 dpi, USB receiver, runs 12 months on one AA battery",
    },
    "home and garden": {
        "Garden hose": "Garden hose, 25 m, 1/2 inch, three layers, with spray nozzle and tap connectors",
        "LED desk lamp": "LED desk lamp, dimmable, 3 colour temperatures, USB charging port, 10 W, white",
        "Cotton bed sheets": "Bed sheet set, queen size, 100 % cotton percale, 4 pieces, light grey",
    },
    "sport and music": {
        "Yoga mat": "Yoga mat, 6 mm thick, non-slip, 183 x 61 cm, with carrying strap",
        "Acoustic guitar, used": "Acoustic guitar, full size, spruce top, steel strings, with bag and tuner. Used.",
        "Two-person tent": "Tent for two persons, waterproof 3000 mm, aluminium poles, 2.1 kg",
    },
}


def by_category(examples: Examples | Mapping[str, str] | Sequence[str] | None) -> dict[str, dict[str, str]]:
    """Examples as category → label → description; those without a category have the category "".

    ``examples`` has categories, or labels, or is a list of descriptions, labelled by the beginning of their first line;
    None stands for our own.
    """
    if examples is None:
        examples = EXAMPLES
    if not isinstance(examples, Mapping):
        examples = {text.strip().split("\n")[0][:LABEL_CHARACTERS]: text for text in examples}
    if any(isinstance(value, str) for value in examples.values()):
        return {"": {label: str(text) for label, text in examples.items()}}
    return {category: dict(group) for category, group in examples.items()}  # type: ignore[arg-type]
