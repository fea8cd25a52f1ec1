"""The hedonic price formula: what an item costs, and what its text says about that.

log full price = log price_usd(family)
               + (elasticity + extra_elasticity(option)) · log(size / middle size)
               + effect(option) + Σ effect(feature) + pack_exponent · log(pack count) + effect(condition)
               + tier_elasticity(category) · effect(tier) + effect(brand)
price          = full price · exp(σ·z − σ²/2), z standard normal: log-normal noise with mean one

A text may leave out brand, size or option. Then ``expected_price`` is the mean over what the text leaves open, and
``noise_sigma`` the standard deviation of the log price given the text. Prices are in US dollars. Which text leaves out
what is decided in ``generate``, the error no model can beat is ``evaluation.floor_mae``. Introduced in notebook 03.
Source: S. Rosen, Hedonic Prices and Implicit Markets, Journal of Political Economy 82 (1974).
"""

import math
from dataclasses import dataclass

import numpy as np

from pricelab.workshop.dice import Dice
from pricelab.workshop.tables import Family, Share, Size, Tables

MIN_PRICE_USD = 1.0
MAX_PRICE_USD = 999.0
MARGIN_SIGMAS = 2.0  # a combination is on sale only when prices this many σ either way stay within the limits

Cell = tuple[int | None, int | None, int | None]  # brand, size and option; None where the text leaves it open


@dataclass(frozen=True, slots=True)
class Grid:
    """The prices of one family with its features, pack and condition fixed.

    ``log_price`` and ``weight`` have shape (brands, sizes, options); weights are zero for what is not on sale.
    """

    log_price: np.ndarray
    weight: np.ndarray
    sigma: float

    def given(self, stated: Cell) -> tuple[float, float]:
        """Expected price in US dollars and log-price deviation, given the stated brand, size and option."""
        chosen = tuple(slice(None) if index is None else slice(index, index + 1) for index in stated)
        weight = self.weight[chosen] / self.weight[chosen].sum()
        log_price = self.log_price[chosen]
        mean = float((weight * log_price).sum())
        variance = float((weight * (log_price - mean) ** 2).sum())
        return float((weight * np.exp(log_price)).sum()), math.sqrt(self.sigma**2 + variance)


def _size_effects(family: Family) -> np.ndarray:
    size = family.size or Size("", "", (1.0,))
    relative = np.log(np.array(size.levels) / size.reference)
    elasticity = family.elasticity + np.array([option.extra_elasticity for option in family.options] or [0.0])
    return relative[:, None] * elasticity[None, :]


def _brand_effects(family: Family, tables: Tables) -> tuple[np.ndarray, np.ndarray]:
    brands = tables.brands_of(family.category)
    stretch = tables.tier_elasticity[family.category]
    effects = [stretch * tables.tiers[brand.tier].effect + brand.effect for brand in brands]
    return np.array(effects), np.array([tables.tiers[brand.tier].share for brand in brands])


def price_grid(family: Family, features: tuple[float, ...], pack: int, condition: Share, tables: Tables) -> Grid:
    """Price every brand, size and option of a family; ``features`` holds the effects of those the item has."""
    brand_effect, brand_share = _brand_effects(family, tables)
    option_effect = np.array([option.effect for option in family.options] or [0.0])
    fixed = math.log(family.price_usd) + sum(features) + family.pack_exponent * math.log(pack) + condition.effect
    size_and_option = _size_effects(family) + option_effect[None, :]
    log_price = fixed + brand_effect[:, None, None] + size_and_option[None, :, :]
    center, margin = log_price - family.sigma**2 / 2, MARGIN_SIGMAS * family.sigma
    on_sale = (center - margin >= math.log(MIN_PRICE_USD)) & (center + margin <= math.log(MAX_PRICE_USD))
    return Grid(log_price, on_sale * brand_share[:, None, None], family.sigma)


def noisy_price(full_price: float, sigma: float, dice: Dice) -> float:
    """``full_price`` times log-normal noise of mean one, drawn again in the rare case that it leaves the limits."""
    while True:
        price = full_price * math.exp(sigma * dice.normal() - sigma**2 / 2)
        if MIN_PRICE_USD <= price <= MAX_PRICE_USD:
            return price


def snap(price: float, dice: Dice) -> int:
    """The nearest price point in cents: $7.49, $7.59 below $10; $24.49, $24.99 below $100; else $240.00 or $239.99."""
    cents = price * 100
    if price < 10:
        snapped = round((cents + 1) / 10) * 10 - 1
    elif price < 100:
        snapped = round((cents + 1) / 50) * 50 - 1
    else:
        snapped = round(cents / 100) * 100 - (1 if dice.chance(0.6) else 0)
    return min(max(snapped, round(MIN_PRICE_USD * 100)), round(MAX_PRICE_USD * 100))
