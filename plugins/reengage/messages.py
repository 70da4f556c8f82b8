"""Texts and what belongs to them: what a message says, costs, and what a reply means.

Nothing here reads a clock, a database or the network.
"""

import hashlib
import hmac
import re
import secrets
import traceback
import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from babel import Locale, UnknownLocaleError
from babel.dates import format_skeleton
from jinja2 import (
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
    meta,
    nodes,
)
from jinja2.sandbox import SandboxedEnvironment

from reengage.coupons import Coupon
from reengage.errors import ConfigurationError, ReengageError
from reengage.policy import Policy, Step
from reengage.segments import Encoding, plain, segments
from reengage.settings import TEMPLATES


class TextError(ReengageError):
    """No text, or no time, can be made for one contact: hold that contact, go on with the rest."""


# --------------------------------------------------------------------------------- templates

_LINK = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz"


def new_code() -> str:
    """A link's code: 9 random characters of 56 (2^52 codes), not guessable, not sequential."""
    return "".join(secrets.choice(_LINK) for _ in range(9))


@lru_cache(maxsize=4096)
def _day(day: date, with_year: bool, locale: Locale) -> str:
    return format_skeleton("yMMMd" if with_year else "MMMd", day, locale=locale)


@lru_cache(maxsize=256)
def locale_of(language: str, country: str | None) -> Locale:
    """The locale of a language in a country; where no such is known, of the language alone."""
    for name in (f"{language}_{country}", language):
        try:
            return Locale.parse(name)
        except (UnknownLocaleError, ValueError):
            continue
    return Locale.parse("en")


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who a text is for: language is ISO 639-1, country ISO 3166-1 alpha-2."""

    contact_id: int
    first_name: str | None = None
    last_name: str | None = None
    language: str | None = None
    country: str | None = None


class Text(NamedTuple):
    """A text, ready to send, and what it costs."""

    body: str
    encoding: Encoding
    segments: int


# How a person ends it, in the languages of the templates. The word STOP works in all of them.
OPT_OUT = {
    "de": "Abmelden: STOP",
    "en": "Reply STOP to end",
    "es": "Responde STOP para salir",
    "fr": "STOP pour ne plus recevoir",
    "it": "Rispondi STOP per uscire",
    "nl": "Afmelden? Antwoord STOP",
    "pt": "Responda STOP para sair",
}

_NAME_LENGTH = 20
# What exports write where there is no name, and what strangers type to have it sent on.
_NO_NAMES = {"null", "none", "nil", "nan", "undefined", "unknown", "anonymous", "customer", "test"}
_NO_NAME = re.compile(r"[\d/\\@:<>{}|_=]|\w\.\w\w")


def first_name(name: str | None) -> str | None:
    """A first name as a letter would write it, at most 20 characters; None if it is no name.

    Only letters, spaces, hyphens, apostrophes and full stops stay. A name in one case is put in
    title case (MARY-ANN, o'neil), one in mixed case is left (LaToya). What holds digits, a slash,
    a web address or a placeholder is no name: nobody gets a stranger's link from us.
    """
    name = plain(" ".join(unicodedata.normalize("NFKC", name or "").split()))
    if _NO_NAME.search(name) or name.casefold() in _NO_NAMES:
        return None
    kept = "".join(c for c in name if c in " -'." or unicodedata.category(c)[0] in "LM")
    words = kept.split()
    while len(words) > 1 and len(" ".join(words)) > _NAME_LENGTH:
        words.pop()
    name = " ".join(words)[:_NAME_LENGTH].strip(" -'")
    if not any(char.isalpha() for char in name):
        return None
    if name.islower() or (name.isupper() and len(name) > 2):
        # A capital begins each part, after an apostrophe only where one letter stands before it.
        name = re.sub(
            r"(?:(?<=^)|(?<=[ .-])|(?<=\b\w'))\w",
            lambda first: first[0].title(),
            name.lower(),
        )
    return name


class _Missing(StrictUndefined):
    """A name that is not known: false in a condition, an error in a text."""

    def __bool__(self) -> bool:  # type: ignore[override]
        return False


_SAMPLE_NOW = datetime(2024, 2, 1, 12, tzinfo=UTC)
_SAMPLE_LINK = "https://go.example.com/AAAAAAAAA"


class Templates:
    """The texts of a policy's steps, checked when they are loaded.

    A step's template is the file that the policy names, in the brand's language. Beside it,
    `survey.it.txt` is the text for contacts whose language is Italian. Templates are Jinja, in a
    sandbox, with the fields brand, first_name (may be missing: `{{ first_name or "friend" }}`),
    link, coupon_code, coupon_value, coupon_expires (of steps with a coupon) and opt_out.

    Raises ConfigurationError, naming file and line, where a file is missing, is no Jinja, names
    an unknown field, needs a name that a contact may lack, lacks the link or a way to opt out, or
    would be too long for everybody.
    """

    def __init__(self, policy: Policy, folder: Path = TEMPLATES / "sms") -> None:
        self._policy = policy
        self._folder = folder
        self._environment = SandboxedEnvironment(
            loader=FileSystemLoader(folder), undefined=StrictUndefined, autoescape=False
        )
        self._templates: dict[tuple[str, str], Template] = {}
        for step in policy.steps:
            file = Path(step.template)
            variants = {
                other.suffixes[-2].removeprefix("."): other.name
                for other in sorted(folder.glob(f"{file.stem}.??{file.suffix}"))
            }
            for language, name in {policy.brand.language: step.template, **variants}.items():
                self._templates[step.name, language] = self._load(name)
                self._check(step, language)

    def render(
        self,
        step: Step,
        contact: Recipient | Mapping[str, Any],
        link: str,
        coupon: Coupon | None,
        now: datetime,
    ) -> Text:
        """The text of a step for one contact (a Recipient, or a mapping with its fields).

        now: aware; decides whether a coupon's date needs its year. Where the contact's name alone
        makes the text too long (a name outside of GSM-7 more than doubles it), the text is made
        without the name. Raises TextError, naming step and contact id, where it is longer than
        the policy's max_segments all the same, or cannot be rendered.
        """
        if isinstance(contact, Mapping):
            given: dict[str, Any] = {key: contact.get(key) for key in Recipient.__slots__}
            contact = Recipient(**given)
        name = first_name(contact.first_name)
        try:
            body = self._render(step, contact, name, link, coupon, now)
            size = segments(body)
            if size.segments > self._limit(step, contact) and name:
                body = self._render(step, contact, None, link, coupon, now)
                size = segments(body)
        except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
            raise TextError(
                f"The text of step {step.name} cannot be made for contact {contact.contact_id}: "
                f"{error}. Correct {self._folder / step.template}."
            ) from error
        if size.segments > (limit := self._limit(step, contact)):
            raise TextError(
                f"The text of step {step.name} for contact {contact.contact_id} takes "
                f"{size.segments} segments ({size.units} units of {size.encoding}), and "
                f"sending.max_segments is {limit}. Shorten "
                f"{step.template}, or allow more segments in the policy."
            )
        return Text(body, size.encoding, size.segments)

    def _limit(self, step: Step, contact: Recipient) -> int:
        country = contact.country or self._policy.brand.country
        return self._policy.sending.segments_for(country, self._language(step, contact))

    def _language(self, step: Step, contact: Recipient) -> str:
        language = (contact.language or "").lower()
        return language if (step.name, language) in self._templates else self._policy.brand.language

    def _render(
        self,
        step: Step,
        contact: Recipient,
        name: str | None,
        link: str,
        coupon: Coupon | None,
        now: datetime,
    ) -> str:
        brand = self._policy.brand
        language = self._language(step, contact)
        fields: dict[str, Any] = {
            "brand": brand.name,
            "first_name": name or _Missing(name="first_name"),
            "link": link,
            "opt_out": OPT_OUT.get(language, OPT_OUT["en"]),
        }
        if coupon:
            locale = locale_of(language, contact.country or brand.country)
            day = coupon.last_day(brand.zone)
            is_far = day > now.astimezone(brand.zone).date() + timedelta(days=300)
            fields |= {
                "coupon_code": coupon.code,
                "coupon_value": coupon.worth(brand.currency, locale),
                "coupon_expires": _day(day, is_far, locale),
            }
        return plain(self._templates[step.name, language].render(fields))

    def _load(self, name: str) -> Template:
        try:
            return self._environment.get_template(name)
        except TemplateNotFound as error:
            raise ConfigurationError(
                f"There is no template {self._folder / name}: write it, or name another one in "
                "the policy's steps."
            ) from error
        except TemplateSyntaxError as error:
            raise ConfigurationError(
                f"{self._folder / name}, line {error.lineno}: {error.message}."
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{self._folder / name} cannot be read: {error}.") from error

    def _check(self, step: Step, language: str) -> None:
        template = self._templates[step.name, language]
        file = self._folder / (template.name or "")
        fields = {"brand", "first_name", "link", "opt_out"}
        coupon = None
        if step.coupon:
            coupon = Coupon.issue(step.coupon, self._policy, _SAMPLE_NOW)
            fields |= {"coupon_code", "coupon_value", "coupon_expires"}
        tree = self._environment.parse(file.read_text(encoding="utf-8"))
        unknown = meta.find_undeclared_variables(tree) - fields
        for node in sorted(tree.find_all(nodes.Name), key=lambda node: node.lineno):
            if node.name in unknown:
                hint = " of a step without a coupon" if node.name.startswith("coupon_") else ""
                raise ConfigurationError(
                    f"{file}, line {node.lineno}: there is no field {node.name!r}{hint}. "
                    f"There are {', '.join(sorted(fields))}."
                )
        contact = Recipient(0, language=language)
        for name in ("Maximilian", None):
            try:
                body = self._render(step, contact, name, _SAMPLE_LINK, coupon, _SAMPLE_NOW)
            except Exception as error:
                lines = [
                    frame.lineno
                    for frame in traceback.extract_tb(error.__traceback__)
                    if frame.filename == template.filename
                ]
                hint = (
                    ' Not every contact has one: write {{ first_name or "friend" }}.'
                    if name is None and "first_name" in str(error)
                    else ""
                )
                raise ConfigurationError(
                    f"{file}, line {lines[-1] if lines else 1}: {error}.{hint}"
                ) from error
        if _SAMPLE_LINK not in body:
            raise ConfigurationError(
                f"{file}: the text has no {{{{ link }}}}, so nobody could answer it."
            )
        if "stop" not in body.replace(_SAMPLE_LINK, "").casefold():
            raise ConfigurationError(
                f"{file}: the text does not say how to end it. Add {{{{ opt_out }}}}."
            )
        size = segments(body)
        if size.segments > (limit := self._limit(step, contact)):
            raise ConfigurationError(
                f"{file}: even without a name the text takes {size.segments} segments "
                f"({size.units} units of {size.encoding}), and sending.max_segments is "
                f"{limit}. Shorten it."
            )


# ------------------------------------------------------------------------ identity and opt-out

_NAMESPACE = uuid.UUID("4f1c1f0e-6c0e-5d0b-9a57-2f3b7c8d1e60")


def message_id(contact_id: int, dormant_since: date, step: str, channel: str) -> uuid.UUID:
    """The id of the one message of that key: a UUIDv5, the same on every machine and rerun."""
    return uuid.uuid5(_NAMESPACE, f"{contact_id}/{dormant_since.isoformat()}/{step}/{channel}")


def phone_hash(phone_e164: str, key: str) -> str:
    """HMAC-SHA256 of a number in E.164, in hex: what logs and suppression lists may hold.

    Raises ValueError for a number in another form, whose hash would match no other.
    """
    if not re.fullmatch(r"\+[1-9][0-9]{4,14}", phone_e164):
        raise ValueError("A phone number must be in E.164 (+12125550123) before it is hashed.")
    return hmac.new(key.encode(), phone_e164.encode(), hashlib.sha256).hexdigest()


Meaning = Literal["stop", "unclear"]

# FCC 47 CFR 64.1200(a)(10): stop, quit, end, revoke, opt out, cancel, unsubscribe; the words that
# Twilio and AWS act on; and the same in the languages of the brands' customers.
_STOP_WORDS = """
    stop stopall quit end revoke optout cancel unsubscribe remove td arret arreter desabonner
    desinscrire berhenti batal annulla cancellami disiscrivimi basta alto baja cancelar parar
    stopp abmelden abbestellen afmelden sair pare 수신거부 거부
"""
_STOP = frozenset(_STOP_WORDS.split())
_STOP_PHRASES = frozenset({"opt out", "opt me out"})
_POLITE = frozenset({"please", "pls", "plz", "ok", "okay", "hi", "hello", "hey", "yes", "just"})
# Any reasonable wording counts, says the FCC: what may be one is for a person to read.
_MAYBE = re.compile(
    r"\b(stop\w*|stpo|sotp|stp|unsub\w*|quit|cancel\w*|remove\w*|delete|revoke\w*|optout|opt out"
    r"|opt me out|opting out|no more|no longer|never again|wrong number|wrong person"
    r"|leave me alone|take me off|off (your|the|this) list|not interested|no (thanks|thank you)"
    r"|(do not|dont|don t|never|quit|cease|please no) (text|txt|message|msg|contact|send|write|sms)"
    r"\w*|cease|spam\w*|scam\w*|harass\w*|lawyer|attorney|illegal|gdpr|ftc|fcc"
    r"|arret\w*|berhenti|batal|annulla\w*|cancella\w*|disiscriv\w*|desabonn\w*|desinscri\w*"
    r"|abmeld\w*|abbestell\w*|afmeld\w*)\b|수신|거부|중단|그만"
)


def meaning(text: str) -> Meaning | None:
    """What a reply says about being written to: "stop", "unclear" (may mean it), or None.

    A stop word that is the whole text or its first word, a polite one aside, is a stop. A longer
    text that may mean it is unclear: a person reads it, and nothing is sent until then.
    """
    plain = unicodedata.normalize("NFKC", text).replace("🛑", " stop ").casefold()
    plain = "".join(
        char for char in unicodedata.normalize("NFD", plain) if unicodedata.category(char) != "Mn"
    )
    plain = unicodedata.normalize("NFC", re.sub(r"['’`´]", "", plain))
    words = re.sub(r"[\W_]+", " ", plain).split()
    while len(words) > 1 and words[0] in _POLITE:
        words.pop(0)
    if not words:
        return None
    if (
        words[0] in _STOP
        or " ".join(words[:2]) in _STOP_PHRASES
        or " ".join(words[:3]) in _STOP_PHRASES
        or "".join(words) in _STOP
        or words[0].startswith("수신거부")
    ):
        return "stop"
    return "unclear" if _MAYBE.search(" ".join(words)) else None


def is_stop(text: str) -> bool:
    """Whether a reply is a clear stop."""
    return meaning(text) == "stop"
