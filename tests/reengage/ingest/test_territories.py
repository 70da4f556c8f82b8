"""Countries as cards say them."""

import pytest
from babel import Locale
from phonenumbers import SUPPORTED_REGIONS

from reengage.ingest.sources.numerals import BadValue
from reengage.ingest.sources.territories import country


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("gb", "GB"),
        ("UK", "GB"),
        ("U.K.", "GB"),
        ("England", "GB"),
        ("Northern Ireland", "GB"),
        ("GBR", "GB"),
        ("USA", "US"),
        ("U.S.A.", "US"),
        ("united states of america", "US"),
        ("EIRE", "IE"),
        ("Ireland", "IE"),
        ("RSA", "ZA"),
        ("Czech Republic", "CZ"),
        ("Holland", "NL"),
        ("Deutschland", "DE"),
        ("Allemagne", "DE"),
        ("Германия", "DE"),
        ("ドイツ", "DE"),
        ("독일", "DE"),
        ("österreich", "AT"),
        ("OESTERREICH", None),
        ("Cote d Ivoire", "CI"),
        ("Côte d’Ivoire", "CI"),
        ("Korea, Republic of", "KR"),
        ("South Korea", "KR"),
        ("Malawi", "MW"),
        ("Niger", "NE"),
        ("Georgia", "GE"),
        ("Guinea", "GN"),
        ("Viet Nam", "VN"),
        ("中国", "CN"),
        ("भारत", "IN"),
        ("Channel Islands", None),
        ("Korea", None),
        ("Congo", None),
        ("Kongo", None),
        ("YUG", None),
        ("Virgin Islands", None),
        ("European Community", None),
        ("Unspecified", None),
        ("44", None),
        ("840", None),
        ("ZZ", None),
        ("EU", None),
        ("", None),
        ("x" * 10_000, None),
    ],
)
def test_a_country_is_a_code_or_a_name_and_is_never_guessed(said: str, code: str | None) -> None:
    if code:
        assert country(said) == code
    else:
        with pytest.raises(BadValue):
            country(said)


def test_what_may_be_several_names_them() -> None:
    with pytest.raises(BadValue, match=r"^may be KP or KR: write the code"):
        country("Korea")
    with pytest.raises(BadValue, match=r"^may be AM or AZ or BY or EE or another: write"):
        country("SUN")


@pytest.mark.parametrize(
    "language",
    [
        "en",
        "de",
        "fr",
        "es",
        "it",
        "pt",
        "ru",
        "ar",
        "zh",
        "ja",
        "ko",
        "hi",
        "th",
        "id",
        "tr",
        "pl",
    ],
)
def test_every_country_is_known_by_its_name_in_a_language(language: str) -> None:
    names = Locale.parse(language).territories
    for code in SUPPORTED_REGIONS:
        try:
            assert country(names[code].upper() if language != "tr" else names[code]) == code
        except BadValue as error:
            assert code in str(error), "it may be another, too"


def test_a_word_of_english_means_what_it_does_in_english() -> None:
    names = Locale.parse("en").territories
    assert [code for code in SUPPORTED_REGIONS if country(names[code]) != code] == []
