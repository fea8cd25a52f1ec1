"""Understand a price, or refuse it: an amount in US dollars is one, anything else is not; nothing is guessed.

Which rows are refused and how that is told is left to ``catalog``. Notebook 12 introduces it.
"""

import re
import unicodedata

_AMOUNT = r"((?:[1-9][0-9]{0,2}(?:,[0-9]{3}){1,3}|[0-9]{1,12})(?:\.[0-9]{1,2})?)"
_DOLLARS = re.compile(rf"(?:\$|US\s?\$|USD)\s*{_AMOUNT}|{_AMOUNT}(?:\s*USD)?", re.IGNORECASE)
# ISO 4217 without USD, and what shops write instead
_CURRENCIES = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF
CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD
HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD
MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN
PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY
TTD TWD TZS UAH UGX UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWL euro euros pound pounds sterling
yen yuan rmb rupee rupees rs kr kroner kronor zl zł kč sfr peso pesos reais won baht руб
"""
_WORDS = sorted(_CURRENCIES.split(), key=len, reverse=True)
_WORD = "(?:" + "|".join(_WORDS) + ")"
_FOREIGN = re.compile(
    rf"(?<![a-z])(?!us\$)[a-z]{{1,3}}\$|(?<!\w){_WORD}[\s.:$]*[0-9]|[0-9][\s.:$]*{_WORD}(?!\w)", re.IGNORECASE
)


def parse_price(text: str) -> float:
    """US dollars from ``"$1,299.00"``, ``"1299 USD"``, ``"US$ 12.50"``, ``"12.5"``; else ``ValueError``.

    At most two decimals, because ``1.299`` is one dollar to some and thirteen hundred to others.
    """
    match = _DOLLARS.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a price in US dollars; write it like $1,299.00, 1299 USD or 12.50")
    return float((match[1] or match[2]).replace(",", ""))


def foreign_currency(text: str) -> bool:
    """Whether a price names a currency other than the US dollar (``"12 €"``, ``"C$12"``, ``"1299 SEK"``)."""
    return any(unicodedata.category(c) == "Sc" and c != "$" for c in text) or _FOREIGN.search(text) is not None


def names_foreign_currency(column: str) -> bool:
    """The same for a column's name: ``"Price (€)"``, ``"price_eur"``."""
    words = set(re.split(r"[\W_]+", column.casefold()))
    return foreign_currency(column) or any(word.casefold() in words for word in _WORDS)


def has_no_currency(text: str) -> bool:
    """Whether a price is a bare number."""
    return re.fullmatch(_AMOUNT, text.strip()) is not None
