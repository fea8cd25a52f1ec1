"""A column of prices is read as a whole: one currency, one decimal mark, each row kept or told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pricelab.price_column import read_column

CELLS = [
    "12,50 €",
    "13 €",
    "$5",
    "£9.99",
    "7",
    "1,299",
    "1.299",
    "0,99",
    "99 kr",
    "call us",
    "",
    "1 299,00 EUR",
    "¥1,200",
]


def column(*texts, **options):
    return read_column(dict(enumerate(texts, 2)), **options)


def amounts(*texts, **options):
    return list(column(*texts, **options).amounts.values())


def test_other_rows_show_which_mark_is_the_decimal_one():
    assert amounts("$1,299", "$12.50") == [1299, 12.5]
    assert amounts("1,299 €", "12,50 €") == [1.299, 12.5]
    assert amounts("1.299 €", "1.299,00 €") == [1299, 1299]
    assert amounts("1,299", "1,299,000") == [1299, 1299000]
    (note,) = [note for note in column("$1,299", "$12.50").notes if "1,299" in note]
    assert note == "1 prices such as '$1,299' were read with '.' before the decimals, as the other rows show"


def test_dollars_have_commas_between_thousands_where_no_row_says_otherwise():
    assert amounts("$1,299", "$15", "849 USD") == [1299, 15, 849]
    assert "read with '.' before the decimals, as dollars are written" in str(column("$1,299", "$15").notes)
    for open_to_both in ("$1.299", "1,299", "1,299 €"):
        with pytest.raises(ValueError, match="two readings"):
            column(open_to_both, open_to_both)


@pytest.mark.parametrize("others", [["$1.299"], ["1,849", "$15"], ["$12.50", "$12,50"]])
def test_an_amount_of_two_readings_is_refused_where_the_column_does_not_decide(others):
    with pytest.raises(
        ValueError, match=r"[12] prices have two readings .*1299 or 1.299.*row 2.*decimal=.*--decimal \. or"
    ):
        column("$1,299", *others)
    assert amounts("$1,299", *others, decimal=".")[0] == 1299 and amounts("$1,299", *others, decimal=",")[0] == 1.299
    assert "as you said" in str(column("$1,299", *others, decimal=".").notes)


def test_a_currency_is_kept():
    found = column("12,50 €", "EUR 13", "call us")
    assert (found.currency, list(found.amounts.values())) == ("EUR", [12.5, 13]) and not found.notes
    assert [(drop.row, drop.reason) for drop in found.refused.values()] == [(4, "no price")]


def test_mixed_currencies_are_refused_with_counts_and_first_rows():
    with pytest.raises(ValueError, match=r"2 in EUR: row 2 '12 €', row 3 '13 €'; 1 in USD: row 4") as refusal:
        column("12 €", "13 €", "$14")
    assert str(refusal.value).endswith("--currency EUR: the others are left out and reported.")


def test_one_currency_of_several_can_be_kept_and_the_others_are_reported():
    found = column("12 €", "$14", "99 kr", "15", currency="EUR")
    assert found.currency == "EUR" and dict(found.amounts) == {2: 12, 5: 15}
    assert {row: drop.reason for row, drop in found.refused.items()} == {
        3: "price in USD, not EUR",
        4: "price in SEK/NOK/DKK/ISK, not EUR",
    }
    assert "without a currency were read as EUR" in str(found.notes)


def test_bare_numbers_go_with_the_only_currency_unless_they_are_the_most():
    assert column("12 €", "13").currency == "EUR"
    assert column("$12", "13", "14", "15").currency == "USD"
    with pytest.raises(ValueError, match=r"1 in EUR: .*; 2 without one: row 3 '13'.*then read as that one"):
        column("12 €", "13", "14")
    found = column("12 €", "13", "14", currency="USD")
    assert (found.currency, list(found.amounts.values())) == ("USD", [13, 14])


def test_bare_numbers_alone_are_dollars_or_what_was_said():
    found = column("12", "13.5")
    assert found.currency == "USD" and found.notes == ("prices without a currency were read as US dollars",)
    assert column("12", currency="SEK").currency == "SEK"


@pytest.mark.parametrize(
    ("name", "code"), [("Price (€)", "EUR"), ("price_usd", "USD"), ("GBP", "GBP"), ("Price ($)", "USD")]
)
def test_the_header_may_name_the_currency(name, code):
    found = column("12", "13.5", name=name)
    assert found.currency == code and not found.notes


def test_the_header_and_a_price_may_disagree_which_is_a_mix():
    with pytest.raises(ValueError, match="1 in EUR.*1 in USD"):
        column("12", "$13", name="Price (€)")


def test_kr_in_header_or_price_has_to_be_settled():
    for texts, name in ((["99 kr"], "price"), (["99"], "Pris (kr)")):
        with pytest.raises(ValueError, match=r"'kr' in .* may stand for SEK, NOK, DKK, ISK.*currency=\"SEK\""):
            column(*texts, name=name)
        assert column(*texts, name=name, currency="NOK").currency == "NOK"
    assert "kr: read as NOK, as you said" in column("99 kr", currency="NOK").notes


def test_a_column_of_currencies_settles_every_row():
    codes = {2: "CAD", 3: "cad", 4: "C$"}
    assert column("$12", "13", "14 CAD", codes=codes).currency == "CAD"
    with pytest.raises(ValueError, match="1 in USD.*1 in SEK"):
        column("12", "13", codes={2: "USD", 3: "SEK"})


def test_a_column_of_currencies_that_is_wrong_costs_the_row():
    found = column("12 €", "13", "14 €", codes={2: "SEK", 3: "points", 4: "EUR"})
    assert {row: (drop.reason, drop.text) for row, drop in found.refused.items()} == {
        2: ("the currency column contradicts the price", "12 €, SEK"),
        3: ("unknown currency", "points"),
    }
    assert (found.currency, dict(found.amounts)) == ("EUR", {4: 14})


@pytest.mark.parametrize("name", ["price_cents", "Price (cents)", "amount_in_cents", "Price (EUR cents)"])
def test_whole_cents_are_divided_and_noted(name):
    found = column("1299", "50.0", "12.50", "1,299", "-5", name=name)
    assert list(found.amounts.values()) == [12.99, 0.5] and f"{name!r} holds cents: divided by 100" in found.notes
    assert [drop.reason for drop in found.refused.values()] == ["no whole number of cents"] * 3
    assert found.currency == ("EUR" if "EUR" in name else "USD")


def test_yen_have_no_cents():
    with pytest.raises(ValueError, match="in cents, but JPY has none"):
        column("1299", name="price_cents", currency="JPY")


def test_yen_and_yuan_share_a_sign_which_is_noted():
    assert column("¥1200").notes == ("¥: read as JPY",)
    assert column("¥1200", currency="CNY").notes == ("¥: read as CNY, as you said",)


@pytest.mark.parametrize(
    ("options", "words"), [({"currency": "EURO"}, "no currency code"), ({"decimal": "'"}, "no decimal mark")]
)
def test_options_that_mean_nothing_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        column("12", **options)


@given(texts=st.lists(st.sampled_from(CELLS), max_size=12), currency=st.sampled_from([None, "USD", "EUR", "SEK"]),
       decimal=st.sampled_from([None, ".", ","]))  # fmt: skip
def test_every_row_is_kept_or_told_and_nothing_becomes_zero(texts, currency, decimal):
    try:
        found = column(*texts, currency=currency, decimal=decimal)
    except ValueError as error:
        assert "currency=" in str(error) or "decimal=" in str(error)
        return
    assert sorted([*found.amounts, *found.refused]) == list(range(2, len(texts) + 2))
    assert all(amount > 0 for amount in found.amounts.values())
    assert currency is None or found.currency == currency
