"""One price in any locale is understood or refused, never guessed."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pricelab.currencies import CODES, meanings, sign_in_name
from pricelab.prices import Money, Number, parse_money, read_price

STYLES = ["${}", "{} USD", "US$ {}", "USD {}", "{}"]


@given(cents=st.integers(0, 99_999_999_999), style=st.sampled_from(STYLES))
def test_formatted_dollars_come_back(cents, style):
    for amount in (f"{cents / 100:,.2f}", f"{cents / 100:.2f}"):
        found = parse_money(f" {style.format(amount)} ")
        assert found.amount == pytest.approx(cents / 100, abs=1e-9) and found.currency in ("USD", "")


@given(
    cents=st.integers(0, 99_999_999_999),
    thousands=st.sampled_from([".", " ", "\u00a0", "\u202f", "'", "’", ""]),
    style=st.sampled_from(["{} €", "{}€", "EUR {}", "{} eur", "€ {}"]),
)
def test_formatted_euros_come_back_whatever_groups_their_digits(cents, thousands, style):
    text = f"{cents / 100:,.2f}".replace(".", "#").replace(",", thousands).replace("#", ",")
    found = parse_money(style.format(text))
    assert found.amount == pytest.approx(cents / 100, abs=1e-9) and found.currency == "EUR"


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        ("12,50 €", 12.5, "EUR"),
        ("1.299,00 €", 1299, "EUR"),
        ("1 299,00 SEK", 1299, "SEK"),
        ("£9.99", 9.99, "GBP"),
        ("¥1200", 1200, "JPY"),
        ("CHF 49.90", 49.9, "CHF"),
        ("1'299.00 CHF", 1299, "CHF"),
        ("SFr. 1’299.–", 1299, "CHF"),
        ("49,- €", 49, "EUR"),
        ("1\u202f299,00\u00a0€", 1299, "EUR"),
        ("₹1,29,999.00", 129_999, "INR"),
        ("C$12", 12, "CAD"),
        ("$12 CAD", 12, "CAD"),
        ("$12 USD", 12, "USD"),
        ("USD $12", 12, "USD"),
        ("R$ 5,90", 5.9, "BRL"),
        ("1.299,00 zł", 1299, "PLN"),
        ("12 euros", 12, "EUR"),
        ("12.990000000000002", 12.990000000000002, ""),  # what programs write
        ("0.299", 0.299, ""),  # no group of thousands begins with 0
        ("1299", 1299, ""),
        ("¥1,200", 1200, "JPY"),  # the yen has no decimals
        (Number("1.299"), 1.299, ""),
        (Number("1e3"), 1000, ""),
    ],
)
def test_prices_of_many_places(text, amount, currency):
    assert parse_money(text) == Money(amount, currency)


REFUSED = [
    "call us",
    "10-20",
    "",
    "nan",
    "inf",
    "-3",
    "1.2.3",
    "12 each",
    "1e3",
    "12.",
    "$",
    "from $12",
    "12 cm",
    ",50",
]


@pytest.mark.parametrize(
    "text", [*REFUSED, "٣", "1_000", "0x10", "12 € / 13 $", "12 EUR $", "1,2345", "1,23,4", "1 2,00"]
)
def test_anything_else_is_no_price(text):
    assert read_price(text) is None
    with pytest.raises(ValueError, match="not a price; write it like"):
        parse_money(text)


@pytest.mark.parametrize("text", [Number("-3"), Number("1e999"), "9" * 400])
def test_numbers_beyond_sense_are_no_prices(text):
    assert read_price(text) is None


@pytest.mark.parametrize(
    ("text", "point", "comma"), [("1,299", 1299, 1.299), ("$1.299", 1.299, 1299), ("12.000 €", 12, 12_000)]
)
def test_two_readings_are_kept_and_never_chosen_between(text, point, comma):
    with pytest.raises(ValueError, match=r'may be .* or .*; say decimal="\." or decimal=","'):
        parse_money(text)
    assert parse_money(text, decimal=".").amount == point and parse_money(text, decimal=",").amount == comma


def test_a_decimal_mark_said_changes_no_price_that_is_clear():
    assert parse_money("12,50 €", decimal=".").amount == 12.5 and parse_money("1.299,00 €", decimal=".").amount == 1299


@pytest.mark.parametrize("text", ["1 299,00 kr", "99 kr.", "Rs. 500", "12 pesos"])
def test_a_sign_of_several_currencies_has_to_be_settled(text):
    code = meanings(read_price(text).signs[0])[0]
    with pytest.raises(ValueError, match=f"may be in {code}, .*say which with currency="):
        parse_money(text)
    assert parse_money(text, currency=code).currency == code


def test_a_said_currency_settles_open_signs_and_bare_numbers_and_overrules_no_other():
    assert parse_money("$5", currency="CAD").currency == "CAD" and parse_money("¥5", currency="CNY").currency == "CNY"
    assert parse_money("5", currency="sek").currency == "SEK"
    assert (
        parse_money("5 €", currency="USD").currency == "EUR" and parse_money("US$5", currency="CAD").currency == "USD"
    )


@pytest.mark.parametrize(
    ("options", "words"), [({"currency": "Taler"}, "ISO 4217"), ({"decimal": ";"}, "decimal mark")]
)
def test_options_that_mean_nothing_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        parse_money("5", **options)


@given(st.text())
@example("१२")
@example("1\u200e2")
def test_garbage_never_becomes_a_number(text):
    found = read_price(text)
    if found is not None:
        digits = "".join(c for c in text if c in "0123456789")
        for amount in {found.point, found.comma} - {None}:
            assert float(digits) in (amount, *(pytest.approx(amount * 10**k) for k in (1, 2, 3)))


@given(st.from_regex(r"[0-9]{1,4}([.,' ][0-9]{1,4}){0,3}", fullmatch=True))
def test_a_price_shows_a_mark_only_when_the_other_reading_is_impossible(text):
    found = read_price(text)
    if found is None:
        return
    assert not (found.ambiguous and found.mark)
    swapped = read_price(text.translate(str.maketrans(".,", ",.")))
    assert swapped is not None and (swapped.point, swapped.comma) == (found.comma, found.point)


def test_codes_are_three_capitals_and_stand_for_themselves():
    assert len(CODES) > 150 and all(meanings(code.lower()) == (code,) and len(code) == 3 for code in CODES)


@pytest.mark.parametrize(
    ("name", "sign"),
    [("Price (€)", "€"), ("price_usd", "usd"), ("Price (USD)", "USD"), ("Pris (kr)", "kr"), ("Preis in EUR", "EUR")]
    + [("C$ price", "C$"), ("Price ($)", "$"), ("price", None), ("top_price", None), ("price per pound", None)],
)
def test_a_column_may_name_its_currency(name, sign):
    assert sign_in_name(name) == sign
