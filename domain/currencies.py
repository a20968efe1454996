"""Currencies: codes, and the words and signs that trade uses instead.

Standard library only.
"""

CODES = frozenset(
    (  # noqa: SIM905 - 150 codes in quotes are harder to read
        "AED AFN AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY"
        " COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR"
        " ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK"
        " MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF"
        " SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU"
        " UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW"
    ).split()
)
"""Codes of ISO 4217 in circulation. The lek (ALL) is left out, because freight prices are all-in ("ALL IN")."""
TRADE_NAMES = {
    "CNY": "RMB CNH YUAN RENMINBI CN¥ ¥",
    "USD": "$ US$ USD$ $US US DOLLAR DOLLARS USDOLLAR USDOLLARS",
    "EUR": "€ EURO EUROS",
    "GBP": "£ STG UKP STERLING POUND POUNDS",
    "JPY": "YEN JP¥ ¥ 円",
    "INR": "RS INR. ₹ RUPEE RUPEES",
    "KRW": "₩ WON",
    "SGD": "S$",
    "HKD": "HK$",
    "AUD": "A$ AU$",
    "CAD": "C$ CA$",
    "NZD": "NZ$",
    "BRL": "R$ REAL REAIS",
    "TWD": "NT$ NTD",
    "AED": "DHS DH DIRHAM",
    "CHF": "SFR FR. FRANKEN",
    "TRY": "TL ₺",
    "PLN": "ZL ZŁ",
    "DKK": "KR KR. DKR",
    "NOK": "KR KR. NKR",
    "SEK": "KR KR. SKR",
}
"""Words and signs, without blanks, that trade uses for a currency instead of its ISO 4217 code."""


def find_meant(word: str) -> list[str]:
    """Return the codes for which trade uses a word or sign in upper case without blanks."""
    return [code for code, names in TRADE_NAMES.items() if word in names.split()]


def can_mean(sign: str, code: str) -> bool:
    """Return whether a sign, word or code may stand for the currency with the code.

    `$` alone stands for any dollar, and an unknown sign for any currency but the US dollar.
    """
    word = "".join(sign.upper().split())
    if word == "$":
        return "$" in TRADE_NAMES.get(code, "")
    meant = [word] if word in CODES else find_meant(word)
    return code in meant if meant else code != "USD"
