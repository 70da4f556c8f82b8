"""What an installation is told from outside: its folders; its secrets, by variable or file."""

import logging
from pathlib import Path

import pytest

from reengage import settings
from reengage.errors import ConfigurationError
from reengage.policy import Policy, Variant, read_policy
from reengage.settings import INCLUDE, TEMPLATES, given, secret, warehouse_url
from reengage.texts.messages import Templates
from reengage.texts.recipients import Recipient
from reengage.web.pages import Pages
from reengage.web.webhooks import providers_of_environment

SECRET = "open-sesame"
TEXT = "{{ opening }} it is us. {{ link }} {{ opt_out }}"


@pytest.fixture
def policy() -> Policy:
    return read_policy(INCLUDE / "journey.yaml")


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the brand's own templates, empty."""
    monkeypatch.setenv("REENGAGE_TEMPLATES", str(tmp_path / "own"))
    for kind in ("sms", "landing/texts"):
        (tmp_path / "own" / kind).mkdir(parents=True)
    return tmp_path / "own"


# --- secrets --------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n", encoding="utf-8")
    return file


def test_a_secret_may_come_from_a_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REENGAGE_SECRET_PHONES_FILE", str(file))
    assert secret("phones") == SECRET
    monkeypatch.setenv("REENGAGE_SECRET_PHONES", "of the variable")
    assert secret("phones") == "of the variable"
    assert given("REENGAGE_METRICS_TOKEN") is None


def test_a_connection_or_its_password_may_come_from_a_file(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_REENGAGE_WAREHOUSE", "postgres://ann@db:5433/w")
    monkeypatch.setenv("REENGAGE_WAREHOUSE_PASSWORD_FILE", str(file))
    expected = f"postgresql+psycopg://ann:{SECRET}@db:5433/w"
    assert warehouse_url() == expected
    monkeypatch.delenv("REENGAGE_WAREHOUSE_PASSWORD_FILE")
    monkeypatch.delenv("AIRFLOW_CONN_REENGAGE_WAREHOUSE")
    whole = tmp_path / "warehouse"
    whole.write_text(f"postgresql://ann:{SECRET}@db:5433/w\n", encoding="utf-8")
    monkeypatch.setenv("AIRFLOW_CONN_REENGAGE_WAREHOUSE_FILE", str(whole))
    assert warehouse_url() == expected


def test_the_providers_connection_may_come_from_a_file(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "sms"
    file.write_text('{"conn_type": "infobip", "host": "a.api.infobip.com", "password": "k"}\n')
    for name in ("AIRFLOW_CONN_REENGAGE_SMS_FILE", "REENGAGE_WEBHOOK_SMS_FILE"):
        with monkeypatch.context() as context:
            context.setenv(name, str(file))
            assert set(providers_of_environment(policy)) == {"infobip"}


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file"), (b" \n", "it is empty"), (SECRET.encode() + b"\xff", "no text")],
)
def test_a_file_that_cannot_be_used_is_told_without_what_is_in_it(
    content: bytes | None, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("REENGAGE_SECRET_PHONES_FILE", str(file))
    with pytest.raises(ConfigurationError, match=why) as error:
        secret("phones")
    told = str(error.value)
    assert "REENGAGE_SECRET_PHONES_FILE" in told and str(file) in told
    assert SECRET not in told
    assert error.value.__cause__ is None and error.value.__context__ is None


@pytest.mark.parametrize(
    "said",
    [SECRET, f'{{"password": "{SECRET}"', f"postgres://ann:{SECRET}@db:port/w", f'["{SECRET}"]'],
)
def test_an_address_that_is_none_is_told_without_it(
    said: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_REENGAGE_WAREHOUSE", said)
    with caplog.at_level(logging.DEBUG), pytest.raises(ConfigurationError, match="Write") as error:
        warehouse_url()
    assert SECRET not in str(error.value) + caplog.text
    assert error.value.__cause__ is None and error.value.__suppress_context__


# --- templates ------------------------------------------------------------------------------------


def body(policy: Policy, language: str) -> str:
    from datetime import UTC, datetime

    made = Templates(policy).render(
        policy.steps[0],
        Recipient(1, language=language),
        "https://go.example.com/23456789A",
        None,
        datetime(2026, 6, 1, 12, tzinfo=UTC),
    )
    return made.body


def test_ones_own_texts_take_the_place_of_ours_language_by_language(
    policy: Policy, own: Path
) -> None:
    italian, english = body(policy, "it"), body(policy, "en")
    # The brand's language, in a file without one: ours is survey.en.txt.
    (own / "sms" / "survey.txt").write_text(TEXT, encoding="utf-8")
    assert "it is us" in body(policy, "en") and english != body(policy, "en")
    assert body(policy, "it") == italian
    (own / "sms" / "survey.it.txt").write_text(TEXT.replace("it is us", "siamo noi"))
    assert "siamo noi" in body(policy, "it")
    step = policy.steps[0]
    assert Templates(policy).file(step, "it") == own / "sms" / "survey.it.txt"
    assert Templates(policy).file(step, "fr") == TEMPLATES / "sms" / "survey.fr.txt"


def test_a_mistake_in_ones_own_text_is_told_by_its_own_file(policy: Policy, own: Path) -> None:
    file = own / "sms" / "survey.en.txt"
    file.write_text("{{ opening }} {{ lnk }} {{ link }} {{ opt_out }}", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=rf"{file}, line 1: there is no field 'lnk'"):
        Templates(policy)
    template = {"": Variant(template="hello.txt")}
    gone = policy.model_copy(
        update={"steps": [policy.steps[0].model_copy(update={"template": template})]}
    )
    with pytest.raises(ConfigurationError, match=f"no template {own / 'sms' / 'hello.txt'}"):
        Templates(gone)


def test_ones_own_pages_and_words_lie_over_ours(policy: Policy, own: Path) -> None:
    (own / "landing" / "texts" / "en.yaml").write_text('survey: {title: "Talk to us"}\n')
    (own / "landing" / "texts" / "de.yaml").write_text('survey: {title: "Sag es uns"}\n')
    (own / "landing" / "spring.html").write_text("{% extends '_base.html' %}")
    pages = Pages(policy)
    assert str(pages.catalogues.voice("en")("survey.title")) == "Talk to us"
    assert str(pages.catalogues.voice("de")("survey.title")) == "Sag es uns"
    assert {"de", "it"} <= set(pages.catalogues.languages)
    assert pages.template("spring", "_step.html") == "spring.html"
    assert pages.template("survey", "_step.html") == "survey.html"
    wrong = own / "landing" / "texts" / "it.yaml"
    wrong.write_text('survey: {tittle: "Ciao"}\n')
    with pytest.raises(ConfigurationError, match=f"{wrong}: no page says survey.tittle"):
        Pages(policy)


def test_a_folder_of_templates_that_is_not_there_is_told(
    policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REENGAGE_TEMPLATES", str(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match=r"none \(REENGAGE_TEMPLATES\). Make it"):
        Templates(policy)
    monkeypatch.delenv("REENGAGE_TEMPLATES")
    assert settings.templates("sms") == (TEMPLATES / "sms",)
