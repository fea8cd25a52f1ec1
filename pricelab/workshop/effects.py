"""The true effect of a swapped brand or an added phrase, where the price formula is known: the workshop's products.

What a model made of it is measured by ``swaps``. Introduced in notebook 12. An effect is a difference of log prices.
"""

from collections.abc import Mapping, Sequence

from pricelab.swaps import Swap
from pricelab.workshop.tables import Tables, load_tables


def true_effects(swaps: Mapping[str, Sequence[Swap]]) -> dict[str, float]:
    """Mean true effect of each kind of swap; empty where an item is from another catalog than the workshop's shops.

    A brand's effect is its tier's, stretched by the category, and its own; a phrase that names a condition has the
    condition's effect, any other phrase none.
    """
    tables = load_tables()
    names = {brand.name for brand in tables.brands}
    items = [swap.item for found in swaps.values() for swap in found]
    if not items or any(item.category not in tables.uses or item.brand not in {*names, ""} for item in items):
        return {}
    return {
        name: sum(_true_effect(swap, tables) for swap in found) / len(found) for name, found in swaps.items() if found
    }


def _true_effect(swap: Swap, tables: Tables) -> float:
    brands = {brand.name for brand in tables.brands}
    if swap.changed in brands:
        category = swap.item.category
        return _brand_effect(swap.changed, category, tables) - _brand_effect(swap.item.brand, category, tables)
    return next((c.effect for c in tables.conditions if swap.changed.casefold() in tables.phrases[c.name]), 0.0)


def _brand_effect(name: str, category: str, tables: Tables) -> float:
    brand = next(brand for brand in tables.brands if brand.name == name)
    return tables.tier_elasticity[category] * tables.tiers[brand.tier].effect + brand.effect
