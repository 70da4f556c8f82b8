"""Names of people, where nobody says how a file's letters are written: whether they make sense."""

import unicodedata

# The letters beyond a to z of the languages that Windows-1252 was made for. A name whose letters
# are of no single one of them (Jiøí, £ukasz) was written in something else.
ALPHABETS = [
    frozenset(letters)
    for letters in (
        "àâæçéèêëîïôœùûüÿ",
        "äöüß",
        "åäöéü",
        "æøåéöäü",
        "áéíóúüñ",
        "àáâãçéêíóôõúü",
        "àèéìíîòóù",
        "àçèéíïòóúü",
        "áéíóúýþæöð",
        "áâäéèêëíîïóôöúûü",
    )
]
# Where another encoding is the usual one, so that even what makes sense is likely wrong: ø is ř.
ELSEWHERE = {
    "PL",
    "CZ",
    "SK",
    "HU",
    "SI",
    "HR",
    "BA",
    "RS",
    "ME",
    "MK",
    "RO",
    "MD",
    "AL",
    "BG",
    "RU",
    "UA",
    "BY",
    "KZ",
    "KG",
    "MN",
    "GR",
    "CY",
    "TR",
    "AZ",
    "EE",
    "LV",
    "LT",
    "GE",
    "AM",
    "IL",
    "JP",
    "CN",
    "TW",
    "HK",
    "MO",
    "KR",
    "TH",
    "VN",
    "EG",
    "SA",
    "AE",
    "KW",
    "QA",
    "BH",
    "OM",
    "JO",
    "LB",
    "SY",
    "IQ",
    "IR",
    "YE",
    "LY",
    "TN",
    "DZ",
    "MA",
    "PK",
}


def makes_sense(name: str, country: str, *, is_guess: bool) -> bool:
    """Whether a name can be what its writer wrote. country: the person's; is_guess: whether it was
    read as Windows-1252 for want of anything better.
    """
    if name.isascii():
        return True
    if "�" in name or _is_twice_encoded(name):
        return False
    if not is_guess:
        return True
    if country in ELSEWHERE:
        return False
    others = [char for char in name.lower() if not char.isascii() and char not in "’‘´"]
    plain = sum(char.isascii() and char.isalpha() for char in name)
    letters = {unicodedata.normalize("NFC", char) for char in others}
    return len(others) <= plain and any(letters <= alphabet for alphabet in ALPHABETS)


def _is_twice_encoded(name: str) -> bool:
    """Whether UTF-8 was read as Windows-1252 and written again: JosÃ©."""
    try:
        return name.encode("cp1252").decode("utf-8") != name
    except UnicodeError:
        return False
