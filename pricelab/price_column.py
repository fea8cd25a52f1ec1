"""A column of prices as a whole: which mark is the decimal one, which currency it holds, and each row's amount.

A row is never judged alone: ``1,299`` is read as the other rows show, a file that mixes currencies is refused with
counts, and nothing is converted. One price is ``prices``' business, the other columns ``catalog``'s. Notebook 12
introduces it. Rows carry their number in the file.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pricelab.currencies import NO_CENTS, USD, check_code, meanings, sign_in_name, usual
from pricelab.prices import WrittenPrice, check_decimal, read_price
from pricelab.report import Dropped, first_rows

_CENTS = frozenset(("cent", "cents", "pence"))
_WHOLE = re.compile(r"([0-9]{1,15})(?:\.0+)?")
_NONE = ""  # in place of a currency's code, where neither the price nor anything beside it names one


@dataclass(frozen=True)
class PriceColumn:
    """What a column of prices holds."""

    currency: str  # ISO 4217 code of every amount
    amounts: Mapping[int, float]  # row → amount in the currency's main unit
    refused: Mapping[int, Dropped]  # the other rows, each with its reason
    notes: tuple[str, ...]  # what was decided for the column, for the report


def read_column(
    texts: Mapping[int, str], *, name: str = "price", codes: Mapping[int, str] | None = None,
    currency: str | None = None, decimal: str | None = None,
) -> PriceColumn:  # fmt: skip
    """Read all prices of a file, in one currency and with one decimal mark where that matters.

    Args:
        texts: row → price as written.
        name: the column's name; it may give the currency (``"Price (€)"``) and say that it holds cents.
        codes: row → what a column of currencies says, if there is one.
        currency: keep only prices in this currency (ISO 4217), numbers without a currency among them; it also settles
            signs such as ``kr``.
        decimal: the mark before the decimals, for files that don't show it.

    Raises:
        ValueError: several currencies and none chosen, a sign or an amount with several readings that nothing settles,
            or an option that means nothing.
    """
    check_decimal(decimal)
    wanted, cents = check_code(currency) if currency else "", _is_cents(name)
    written = {row: _read(text, cents) for row, text in texts.items()}
    refused = {row: Dropped(row, one, texts[row]) for row, one in written.items() if isinstance(one, str)}
    prices = {row: one for row, one in written.items() if isinstance(one, WrittenPrice)}
    named = _named(prices, name, codes or {}, wanted, refused)
    kept = _kept_currency(named, prices, wanted)
    if cents and kept in NO_CENTS:
        raise ValueError(f"the column {name!r} is in cents, but {kept} has none; name another column or currency")
    for row, code in named.items():
        if code not in (kept, _NONE):
            refused[row] = Dropped(row, f"price in {code}, not {kept}", texts[row])
    chosen = {row: price.settled(kept) for row, price in prices.items() if row not in refused}
    mark = decimal or _decimal_mark(chosen.values()) or _american(chosen.values(), kept)
    _refuse_ambiguous(chosen, mark)
    amounts = {row: price.amount(mark) / (100 if cents else 1) for row, price in chosen.items()}
    notes = [f"{name!r} holds cents: divided by 100"] if cents else []
    if any(named[row] == _NONE for row in chosen):
        notes.append(f"prices without a currency were read as {'US dollars' if kept == USD else kept}")
    return PriceColumn(kept, amounts, refused, (*notes, *_readings(chosen, kept, wanted, mark, decimal)))


def _is_cents(name: str) -> bool:
    return not _CENTS.isdisjoint(re.split(r"[\W_]+", name.casefold()))


def _read(text: str, cents: bool) -> WrittenPrice | str:
    """The price, or why there is none."""
    if cents:
        match = _WHOLE.fullmatch(text.strip())
        return WrittenPrice(text, float(match[1]), float(match[1]), ()) if match else "no whole number of cents"
    return read_price(text) or "no price"


# ---- the currency


def _named(
    prices: Mapping[int, WrittenPrice], name: str, codes: Mapping[int, str], wanted: str, refused: dict[int, Dropped]
) -> dict[int, str]:
    """Row → the currency that its price, its cell in the currency column or the header names.

    A row whose cell says nothing that is a currency, or another one than its price, goes to ``refused``.
    """
    sign = sign_in_name(name)
    header = _code(sign, wanted, f"in the column's name {name!r}") if sign else _NONE
    found: dict[int, str] = {}
    for row, price in prices.items():
        cell = codes.get(row, "").strip()
        if cell and not meanings(cell):
            refused[row] = Dropped(row, "unknown currency", cell)
            continue
        beside = _code(cell, wanted, f"in row {row}") if cell else header
        own = price.currency(beside or wanted)
        if own is None:
            own = _code(price.signs[0], wanted, f"in row {row}")
        if cell and own not in (_NONE, beside):
            refused[row] = Dropped(row, "the currency column contradicts the price", f"{price.text}, {cell}")
        else:
            found[row] = own or beside
    return found


def _code(sign: str, wanted: str, where: str) -> str:
    """The sign's code; where it may stand for several, but not for the wanted one, all of them."""
    code, codes = usual(sign, wanted), meanings(sign)
    if code is None and not wanted:
        raise ValueError(
            f"{sign!r} {where} may stand for {', '.join(codes)}; say which with "
            f'currency="{codes[0]}", or on the command line with --currency {codes[0]}'
        )
    return code or "/".join(codes)


def _kept_currency(named: Mapping[int, str], prices: Mapping[int, WrittenPrice], wanted: str) -> str:
    """The wanted currency, else the only one there is; numbers without one go with it unless they are the most."""
    counts = Counter(named.values())
    bare = counts[_NONE]
    codes = [code for code, _ in counts.most_common() if code != _NONE]
    if wanted or not codes:
        return wanted or USD
    if len(codes) == 1 and (codes[0] == USD or counts[codes[0]] >= bare):
        return codes[0]
    rows = {code: [Dropped(row, "", prices[row].text) for row, one in named.items() if one == code] for code in counts}
    many = "; ".join(f"{n:,} {f'in {c}' if c else 'without one'}: {first_rows(rows[c], 3)}" for c, n in counts.items())
    also = " Numbers without a currency are then read as that one." if bare else ""
    raise ValueError(
        f"the prices are in several currencies ({many}); pricelab converts nothing. Keep one, such as "
        f'currency="{codes[0]}", on the command line --currency {codes[0]}: the others are left out and reported.{also}'
    )


# ---- the decimal mark


def _decimal_mark(prices: Iterable[WrittenPrice]) -> str | None:
    """The decimal mark that the prices show, None when they show none or both."""
    shown = {price.mark for price in prices} - {None}
    return shown.pop() if len(shown) == 1 else None


def _american(prices: Iterable[WrittenPrice], kept: str) -> str | None:
    """A point where every amount with two readings is like ``$1,299``: dollars have commas between thousands."""
    unclear = [price for price in prices if price.ambiguous or price.mark]
    like_dollars = all(price.signs and price.ambiguous and "." not in price.text for price in unclear)
    return "." if kept == USD and like_dollars else None


def _refuse_ambiguous(prices: Mapping[int, WrittenPrice], mark: str | None) -> None:
    unclear = [Dropped(row, "", price.text) for row, price in prices.items() if price.ambiguous]
    if not unclear or mark:
        return
    one = prices[unclear[0].row]
    shown = "don't agree on" if any(price.mark for price in prices.values()) else "don't show"
    raise ValueError(
        f"{len(unclear):,} prices have two readings ({one.text!r} may be {one.point:g} or {one.comma:g}), and the "
        f"other rows {shown} which mark stands before the decimals: {first_rows(unclear)}. Say so with "
        'decimal="." or decimal=",", or on the command line with --decimal . or --decimal ,'
    )


def _readings(
    prices: Mapping[int, WrittenPrice], kept: str, wanted: str, mark: str | None, decimal: str | None
) -> Iterator[str]:
    """Notes on what had more than one reading."""
    signs = {price.signs[0] for price in prices.values() if len(price.signs) == 1} - {"$", "£"}
    open_signs = sorted(sign for sign in signs if len(meanings(sign)) > 1)
    if open_signs:
        yield f"{', '.join(open_signs)}: read as {kept}{', as you said' * bool(wanted)}"
    unclear = [price for price in prices.values() if price.ambiguous]
    if unclear:
        shown = any(price.mark for price in prices.values())
        why = "as you said" if decimal else "as the other rows show" if shown else "as dollars are written"
        yield f"{len(unclear):,} prices such as {unclear[0].text!r} were read with {mark!r} before the decimals, {why}"
