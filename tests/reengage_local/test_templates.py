"""The shipped texts in their languages and countries, and `make templates`."""

import copy
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
import yaml
from babel import Locale
from babel.numbers import format_currency, list_currencies

from reengage import cli
from reengage.errors import ConfigurationError
from reengage.policy import CouponOffer, Policy, read_policy
from reengage.settings import INCLUDE
from reengage.texts import wording
from reengage.texts.countries import Countries, countries, read_countries
from reengage.texts.coupons import Coupon
from reengage.texts.messages import Templates
from reengage.texts.recipients import Recipient, locale_of
from reengage.texts.segments import is_gsm, segments
from reengage.texts.uploads import upload
from reengage_local.templates import Names, lint, read_codes, read_names, table

NOW = datetime(2026, 12, 1, 15, tzinfo=UTC)
LINK = "https://go.example.com/AAAAAAAAAA"
HOMES = {"en": "US", "it": "IT", "fr": "FR", "id": "ID", "ko": "KR"}
STEPS = ["survey", "contest", "coupon"]
GSM_LANGUAGES = ["en_US", "en_GB", "it_IT", "fr_FR", "id_ID", "fr_CA"]


@pytest.fixture(scope="module")
def policy() -> Policy:
    return read_policy(INCLUDE / "journey.yaml")


@pytest.fixture(scope="module")
def templates(policy: Policy) -> Templates:
    return Templates(policy)


def changed(policy: Policy, **brand: Any) -> Policy:
    """The policy of another brand."""
    return policy.model_copy(update={"brand": policy.brand.model_copy(update=brand)})


def body(made: Templates, policy: Policy, step: str, contact: Recipient) -> str:
    one = policy.step(step)
    coupon, _ = made.sample_coupon(one, NOW)
    return made.render(one, contact, LINK, coupon, NOW).body


# ------------------------------------------------------------------------------- what is shipped


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("language", HOMES)
@pytest.mark.parametrize("name", [None, "Massimiliano"])
def test_a_shipped_text_fits_its_limit_with_a_long_name(
    policy: Policy, templates: Templates, step: str, language: str, name: str | None
) -> None:
    one = policy.step(step)
    coupon, _ = templates.sample_coupon(one, NOW)
    contact = Recipient(1, name, language=language, country=HOMES[language])
    made = templates.fit(one, contact, LINK, coupon, NOW)
    size = segments(made.text.body)
    assert (size.encoding, size.segments) == (("UCS-2", 2) if language == "ko" else ("GSM-7", 1))
    assert made.dropped == ()
    assert (name or "Larkfield") in made.text.body


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("language", HOMES)
def test_a_text_to_korea_is_labelled_and_ends_with_the_free_opt_out_in_any_language(
    policy: Policy, templates: Templates, step: str, language: str
) -> None:
    for name in (None, "민준"):
        contact = Recipient(1, name, language=language, country="KR")
        said = body(templates, policy, step, contact)
        assert said.startswith("(광고)Larkfield")
        assert said.endswith("무료수신거부: 위 링크")
        assert "Reply" not in said


@pytest.mark.parametrize("language", HOMES)
@pytest.mark.parametrize("country", ["US", "CA", "GB", "FR", "IT", "ID", "DE"])
def test_a_text_begins_with_the_sender_and_ends_with_stop_everywhere_else(
    policy: Policy, templates: Templates, language: str, country: str
) -> None:
    for step in STEPS:
        said = body(templates, policy, step, Recipient(1, language=language, country=country))
        assert said.startswith("Larkfield")
        assert "STOP" in said.rpartition("AAAAAAAAAA")[2]


def test_nobody_is_asked_to_reply_to_a_name(policy: Policy, templates: Templates) -> None:
    named = changed(policy, sender="LARKFIELD")
    of_name = Templates(named)
    for language, home in HOMES.items():
        asks = countries().words[language].reply
        for step in STEPS:
            here = Recipient(1, language=language, country="US")
            assert asks in body(templates, policy, step, here)
            assert asks not in body(of_name, named, step, here)
            assert asks not in body(of_name, named, step, replace(here, country=home))


@pytest.mark.parametrize(
    ("sender", "country", "takes"),
    [
        ("+12125550100", "US", True),
        ("+1 (212) 555-0100", "US", True),
        ("+12125550100", "CA", True),
        ("+12125550100", "FR", False),  # the answer would cost what a call abroad does
        ("+393331234567", "IT", True),
        ("+393331234567", "US", False),
        ("+6281234567890", "ID", False),  # no provider takes answers there
        ("+821012345678", "KR", False),
        ("38123", "US", True),  # the brand's country
        ("38123", "FR", False),
        ("LARKFIELD", "US", False),
        ("Shop24", "US", False),
    ],
)
def test_who_can_answer(policy: Policy, sender: str, country: str, takes: bool) -> None:
    brand = changed(policy, sender=sender).brand
    assert countries().takes_replies(brand, country) is takes


def test_a_survey_promises_nothing(policy: Policy, templates: Templates) -> None:
    for language, country in HOMES.items():
        said = body(templates, policy, "survey", Recipient(1, language=language, country=country))
        assert not any(char in said.replace(LINK, "") for char in "%$€₩")


def test_a_coupon_names_the_item_that_was_viewed_or_goes_with_the_one_bought(
    policy: Policy, templates: Templates
) -> None:
    viewed = Recipient(1, item="Wool scarf", item_kind="viewed", together=("Gloves",))
    bought = replace(viewed, item_kind="bought")
    assert "Still want Wool scarf?" in body(templates, policy, "coupon", viewed)
    said = body(templates, policy, "coupon", bought)
    assert "You may like Gloves." in said
    assert "scarf" not in said


# ------------------------------------------------------------------------------------ the offer


def with_offer(policy: Policy, **offer: Any) -> Policy:
    """The policy with another coupon of 15 percent."""
    made = CouponOffer.model_validate({"kind": "percent", "value": 15, **offer})
    step = policy.step("coupon").model_copy(update={"coupon": made})
    return policy.model_copy(update={"steps": (*policy.steps[:2], step)})


def offered(policy: Policy, now: datetime, **contact: Any) -> str:
    step = policy.step("coupon")
    assert step.coupon
    coupon = Coupon.issue(step.coupon, policy, now)
    return Templates(policy).render(step, Recipient(1, **contact), LINK, coupon, now).body


def test_a_minimum_is_said(policy: Policy) -> None:
    poor = with_offer(policy, valid_days=30, minimum=40)
    assert "15% off orders of $40+ is yours through Dec 31." in offered(poor, NOW)
    assert "15 % de remise dès 40 $US d'achat" in offered(poor, NOW, country="FR")


def test_a_sale_says_when_it_begins_until_it_has(policy: Policy) -> None:
    sale = {"from": datetime(2026, 12, 5), "to": datetime(2026, 12, 8)}
    of_sale = with_offer(policy, sale=sale)
    assert "is yours from Dec 5 through Dec 7." in offered(of_sale, NOW)
    assert "is yours through Dec 7." in offered(of_sale, datetime(2026, 12, 5, 15, tzinfo=UTC))


def test_what_ends_inside_of_a_day_says_the_hour_on_the_contacts_clock(policy: Policy) -> None:
    brief = with_offer(policy, valid_hours=48)
    assert "through Dec 3, 10:00 AM." in offered(brief, NOW)
    assert "through Dec 3, 7:00 AM." in offered(brief, NOW, time_zone="America/Los_Angeles")
    assert "through Dec 3, 10:00 AM." in offered(brief, NOW, time_zone="Mars/Olympus")
    evening = with_offer(
        policy, sale={"from": datetime(2026, 11, 30), "to": datetime(2026, 12, 2, 18)}
    )
    assert "through Dec 2, 6:00 PM." in offered(evening, NOW)


def test_a_far_date_has_its_year(policy: Policy) -> None:
    assert "through Nov 30, 2028." in offered(with_offer(policy, valid_days=730), NOW)


@pytest.mark.parametrize("name", GSM_LANGUAGES)
def test_dates_never_force_a_gsm_language_out_of_gsm(name: str) -> None:
    locale = Locale.parse(name)
    for number in range(366):
        on = date(2028, 1, 1) + timedelta(days=number)
        for with_year in (False, True):
            assert is_gsm(wording.day(on, locale, with_year=with_year))
    noon = datetime(2028, 8, 3, 16, 30, tzinfo=UTC)
    said = wording.moment(noon, ZoneInfo("Europe/Paris"), locale, with_year=False)
    assert is_gsm(said)
    assert "30" in said


def test_a_month_that_gsm_cannot_write_is_written_in_figures() -> None:
    french = Locale.parse("fr_FR")
    assert wording.day(date(2026, 8, 3), french, with_year=False) == "03/08"
    assert wording.day(date(2026, 8, 3), french, with_year=True) == "03/08/2026"
    assert wording.day(date(2026, 12, 3), french, with_year=False) == "3 déc."
    assert wording.day(date(2026, 8, 3), Locale.parse("ko_KR"), with_year=False) == "8월 3일"


@pytest.mark.parametrize("name", GSM_LANGUAGES)
def test_no_currency_forces_a_gsm_language_out_of_gsm(policy: Policy, name: str) -> None:
    locale = Locale.parse(name)
    for value in (10.0, 12.5, 150000.0):
        offer = CouponOffer.model_validate({"kind": "value", "value": value, "valid_days": 3})
        coupon = Coupon.issue(offer, policy, NOW)
        for currency in list_currencies():
            said = wording.money(coupon.worth(currency, locale), currency, locale)
            assert is_gsm(said), (currency, said)
            assert any(char.isdigit() for char in said)
    percent = CouponOffer.model_validate({"kind": "percent", "value": 12.5, "valid_days": 3})
    worth = Coupon.issue(percent, policy, NOW).worth("EUR", locale)
    assert is_gsm(wording.money(worth, "EUR", locale))


@pytest.mark.parametrize(
    ("value", "currency", "name", "said"),
    [
        (10, "EUR", "it_IT", "10,00 €"),
        (10000, "KRW", "en_US", "KRW 10,000"),
        (10000, "KRW", "fr_FR", "10 000 KRW"),
        (10000, "KRW", "ko_KR", "₩10,000"),
        (15000, "IDR", "id_ID", "Rp15.000,00"),
        (10, "USD", "fr_FR", "10,00 $US"),
    ],
)
def test_money_keeps_its_sign_where_the_alphabet_has_it(
    value: int, currency: str, name: str, said: str
) -> None:
    locale = Locale.parse(name)
    assert wording.money(format_currency(value, currency, locale=locale), currency, locale) == said


# ----------------------------------------------------------------------------- the countries' file


def test_the_languages_of_the_templates_have_words_and_the_rules_a_source(policy: Policy) -> None:
    known = countries()
    for step in policy.steps:
        assert set(Templates(policy).languages(step)) == set(HOMES) <= known.words.keys()
    for rule in known.rules.values():
        assert rule.checked <= date(2026, 11, 22) and len(rule.source) > 20
        assert locale_of(rule.language or "en", rule.country).territory == rule.country


def broken(tmp_path: Path, change: dict[str, Any], again: bool = False) -> Countries:
    """The shipped file with its first rule changed, or with that rule once more."""
    content = yaml.safe_load((INCLUDE / "countries.yaml").read_text(encoding="utf-8"))
    rule = {**copy.deepcopy(content["rules"][0]), **change}
    content["rules"] = [rule, *content["rules"][0 if again else 1 :]]
    file = tmp_path / "countries.yaml"
    file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return read_countries(file)


def test_a_countries_file_that_cannot_be_followed_is_refused(
    policy: Policy, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=r"countries\.yaml is not usable:\n  line \d+: "):
        broken(tmp_path, {"repliess": True})
    with pytest.raises(ConfigurationError, match="two rules of US"):
        broken(tmp_path, {}, again=True)
    other = broken(tmp_path, {"opt_out": "Tell us if you have enough"})
    with pytest.raises(ConfigurationError, match="must hold 'STOP'"):
        other.form(policy.brand, "US", "en")
    with pytest.raises(ConfigurationError, match=r"cannot be read"):
        read_countries(tmp_path / "missing.yaml")


# ---------------------------------------------------------------------------------- make templates


def add_contacts(warehouse: sa.Engine, contacts: list[dict[str, Any]]) -> None:
    rows = [
        {"first_name": None, "language": None, "country": None, "phone": f"+1212555{n:04}", **row}
        for n, row in enumerate(contacts)
    ]
    with warehouse.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO core.contact (phone_e164, first_name, language, country,"
                " first_source, first_source_contact_id, first_seen_on)"
                " VALUES (:phone, :first_name, :language, :country, 'crm', :phone, '2026-01-01')"
            ),
            rows,
        )


def test_names_are_read_by_language_and_country(warehouse: sa.Engine) -> None:
    add_contacts(
        warehouse,
        [
            {"first_name": "Ann", "language": "en-US", "country": "US"},
            {"first_name": "Bartholomew", "language": "en", "country": "US"},
            {"first_name": "12345 67890 12345", "language": "en", "country": "US"},
            {"first_name": "Łukasz", "language": "en", "country": "US"},
            {"language": "en", "country": "US"},
            {"first_name": "Chloé", "language": "fr", "country": "FR"},
            {"first_name": "Zoë"},
        ],
    )
    found = read_names(warehouse)
    assert set(found) == {("en", "US"), ("fr", "FR"), ("", "")}
    here = found["en", "US"]
    assert (here.contacts, here.outside, here.longest) == (5, 2, "Bartholomew")
    assert here.longest_outside == "Łukasz"
    assert len(here.typical) == 6
    # é is in GSM-7, ë is not.
    assert (found["fr", "FR"].outside, found["fr", "FR"].longest_outside) == (0, None)
    assert found["", ""].longest_outside == "Zoë"


def test_the_codes_of_a_pool_are_as_long_as_they_are(
    policy: Policy, warehouse: sa.Engine, tmp_path: Path
) -> None:
    file = tmp_path / "codes.csv"
    file.write_text("SPRING-1\n" + "LONG" * 5 + "\n", encoding="utf-8")
    upload(warehouse, "spring", file, NOW)
    assert read_codes(warehouse) == {"spring": 20}
    of_pool = with_offer(policy, valid_days=30, pool="spring")
    assert lint(of_pool, {}, NOW, {"spring": 20})[1] == []
    said = lint(of_pool, {}, NOW, {"spring": 60})[1]
    assert any(
        "coupon.en.txt: The text of step coupon for a contact in US (no name)" in s for s in said
    )


def test_the_table_says_what_is_left_out_for_how_many_and_names_nobody(policy: Policy) -> None:
    names = {
        ("en", "US"): Names(4, 1, "Annabel", "Annabel", "Łukasz"),
        ("de", "DE"): Names(1, 0, "Jürgen", "Jürgen", None),
    }
    lines, wrong = lint(policy, names, NOW)
    assert wrong == []
    mine = next(line for line in lines if (line.step, line.country) == ("survey", "US"))
    assert (mine.encoding, mine.typical, mine.worst, mine.limit) == ("GSM-7", 1, 1, 1)
    assert mine.cost == pytest.approx(8)
    assert mine.dropped == ["name (name outside of GSM-7, 1 of 4)"]
    # Nobody has a template in German: they get the brand's.
    assert any((line.language, line.country) == ("en", "DE") for line in lines)
    assert {line.country for line in lines} == {"DE", *countries().rules}
    text = "\n".join(table(lines, policy))
    assert "per 1,000, USD" in text
    assert not any(name in text for name in ("Łukasz", "Annabel", "Jürgen"))


def test_a_text_that_breaks_for_some_country_or_for_all_is_told_with_what_to_do(
    policy: Policy,
) -> None:
    # Korea's label makes it UCS-2, for which one segment is not enough.
    sending = policy.sending.model_copy(update={"max_segments": {"default": 1, "ko": 3}})
    lines, wrong = lint(policy.model_copy(update={"sending": sending}), {}, NOW)
    assert {said.split(":")[0] for said in wrong} == {
        "survey.en.txt",
        "contest.en.txt",
        "coupon.en.txt",
    }
    assert all("a contact in KR (" in said and "Shorten" in said for said in wrong)
    assert any("BREAKS" in line for line in table(lines, policy))
    long = changed(policy, name="Larkfield Home and Garden Stores of New England and the North")
    lines, wrong = lint(long, {}, NOW)
    assert any("coupon.en.txt: even without a name the text takes 2 segments" in s for s in wrong)


def test_the_command_ends_well_or_with_what_to_mend(
    policy: Policy,
    warehouse: sa.Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    add_contacts(warehouse, [{"first_name": "Annabel", "language": "en", "country": "US"}])
    assert cli.main(["templates"]) == 0
    assert "the names of those who can be texted (1)." in capsys.readouterr().out
    text = (INCLUDE / "journey.yaml").read_text(encoding="utf-8")
    mine = tmp_path / "journey.yaml"
    mine.write_text(text.replace("{default: 1, ko: 3, KR: 3}", "{default: 1}"), encoding="utf-8")
    monkeypatch.setenv("REENGAGE_POLICY", str(mine))
    assert cli.main(["templates"]) == 1
    shown = capsys.readouterr()
    assert "These texts would not be sent:" in shown.err
    assert "survey.ko.txt" in shown.err
    assert "Annabel" not in shown.out + shown.err
