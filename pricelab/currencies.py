"""Which currency a sign, a code or a column's name stands for; what may stand for several is never guessed.

Codes are ISO 4217's. A sign stands for what the Unicode CLDR shows it for in English (``$`` US dollar, ``¥`` yen, ``£``
pound sterling), unless the file or the caller says otherwise: the dollars of other countries, the yuan and so on.
Reading amounts is left to ``prices``. Notebook 12 introduces it.
"""

import re
import unicodedata
from functools import cache

USD = "USD"
_LIST = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF
    CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD
    HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD
    MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN
    PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY
    TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG
"""
CODES = frozenset(_LIST.split())
_WHOLE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"  # no decimals, by the same standard
NO_CENTS = frozenset(_WHOLE.split())
_DOLLARS = "USD ARS AUD BBD BMD BND BSD BZD CAD CLP COP FJD GYD HKD JMD KYD LRD MXN NAD NZD SBD SGD SRD TTD TWD UYU XCD"
_SIGNS = {  # sign → what it may stand for; with a * before it, the first is taken where nothing says otherwise
    "$": "* " + _DOLLARS,
    "£": "* GBP EGP FKP GIP LBP SDG SHP SSP SYP",
    "¥": "* JPY CNY",
    "€": "EUR", "euro": "EUR", "euros": "EUR", "dollar": "* " + _DOLLARS, "dollars": "* " + _DOLLARS,
    "us$": "USD", "a$": "AUD", "au$": "AUD", "c$": "CAD", "ca$": "CAD", "cad$": "CAD", "can$": "CAD", "hk$": "HKD",
    "mx$": "MXN", "mex$": "MXN", "nt$": "TWD", "nz$": "NZD", "r$": "BRL", "s$": "SGD", "sg$": "SGD",
    "cn¥": "CNY", "jp¥": "JPY", "rmb": "CNY", "yuan": "CNY", "元": "CNY", "円": "JPY", "yen": "JPY",
    "pound": "* GBP EGP", "pounds": "* GBP EGP", "sterling": "GBP",
    "kr": "SEK NOK DKK ISK", "kr.": "DKK SEK NOK ISK", "kroner": "DKK NOK", "kronor": "SEK",
    "fr": "CHF XAF XOF XPF", "fr.": "CHF XAF XOF XPF", "sfr": "CHF", "sfr.": "CHF",
    "₹": "INR", "rs": "INR LKR MUR NPR PKR SCR", "rs.": "INR LKR MUR NPR PKR SCR", "rupees": "INR LKR MUR NPR PKR SCR",
    "zł": "PLN", "kč": "CZK", "ft": "HUF", "lei": "RON MDL", "лв": "BGN", "лв.": "BGN", "руб": "RUB", "руб.": "RUB",
    "₽": "RUB", "₴": "UAH", "₸": "KZT", "₺": "TRY", "tl": "TRY", "₪": "ILS", "₩": "KRW", "won": "KRW KPW", "₫": "VND",
    "฿": "THB", "baht": "THB", "₱": "PHP", "pesos": "MXN ARS CLP COP CUP DOP PHP UYU", "rm": "MYR", "rp": "IDR",
    "rp.": "IDR", "₦": "NGN", "₵": "GHS", "₡": "CRC", "₲": "PYG", "₭": "LAK", "₮": "MNT", "₼": "AZN", "₾": "GEL",
}  # fmt: skip
_ENGLISH = "ALL BAM CUP GEL LAK MAD MOP PEN SOS TOP TRY"  # in a column's name more likely the word than the code
_WORDS_IN_NAMES = "euro euros dollars yen yuan rmb kr kroner kronor zł kč rs rupees pesos baht руб"
_IN_NAMES = re.compile(r"[a-z]{0,3}[$¥]|[^\W\d_]+|[^\w\s]", re.IGNORECASE)


def meanings(sign: str) -> tuple[str, ...]:
    """The ISO 4217 codes that a sign, a word or a code may stand for, none for an unknown one; ``"kr"`` → four."""
    sign = _plain(sign)
    if sign.upper() in CODES:
        return (sign.upper(),)
    return tuple(_SIGNS.get(sign, "").removeprefix("* ").split())


def usual(sign: str, said: str = "") -> str | None:
    """The code that a sign stands for: the one ``said`` elsewhere if it may, else the usual one, None for a guess."""
    codes = meanings(sign)
    if said in codes:
        return said
    return codes[0] if len(codes) == 1 or _SIGNS.get(_plain(sign), "").startswith("*") else None


def sign_in_name(name: str) -> str | None:
    """What names a currency in a column's name: ``"Price (€)"`` → ``"€"``, ``"price_usd"`` → ``"usd"``."""
    for word in _IN_NAMES.findall(name.replace("_", " ")):
        code, plain = word.upper() in CODES - {*_ENGLISH.split()}, word.casefold() in _WORDS_IN_NAMES.split()
        if code or plain or any(unicodedata.category(letter) == "Sc" for letter in word):
            return word
    return None


def check_code(currency: str) -> str:
    """The code in capitals. Raises ``ValueError`` for what is none."""
    code = currency.strip().upper()
    if code not in CODES:
        raise ValueError(f"{currency!r} is no currency code; give one of ISO 4217, such as USD, EUR, GBP or SEK")
    return code


@cache
def signs_pattern() -> str:
    """A regular expression for every sign, word and code, the longest first."""
    every = sorted({*_SIGNS, *(code.casefold() for code in CODES)}, key=len, reverse=True)
    return "|".join(r"us\s?\$" if sign == "us$" else re.escape(sign) for sign in every)


def _plain(sign: str) -> str:
    return re.sub(r"\s", "", sign).casefold()
