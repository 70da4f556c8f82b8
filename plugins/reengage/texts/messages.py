"""Texts and what belongs to them: what a message says, and what it costs.

Nothing here reads a clock, a database or the network.
"""

import re
import traceback
import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Template, TemplateError, TemplateNotFound, TemplateSyntaxError, nodes

from reengage.errors import ConfigurationError, TextError
from reengage.policy import Policy, Step
from reengage.settings import templates as template_folders
from reengage.texts.countries import Form, countries
from reengage.texts.coupons import Coupon, drawn
from reengage.texts.recipients import Personal, Recipient, locale_of
from reengage.texts.segments import Encoding, plain, segments
from reengage.texts.templating import Missing, Parsed, environment, parsed, state
from reengage.texts.wording import day, moment, money, zone_of

_LINK = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz"


def new_code() -> str:
    """A link's code: 9 random characters of 56 (2^52 codes), not guessable, not sequential."""
    return drawn(_LINK, 9)


class Text(NamedTuple):
    """A text, ready to send, and what it costs."""

    body: str
    encoding: Encoding
    segments: int


class Fitted(NamedTuple):
    """A text, and what was left out of it to fit its limit: "item", "name"."""

    text: Text
    dropped: tuple[str, ...]


# A template can count on these.
_FIELDS = {"brand", "opening", "link", "opt_out", "item_kind", "together"}
# These may be missing; how a template writes them.
_MAY_LACK = {
    "first_name": '{{ first_name or "friend" }}',
    "item": "{% if item %}...{{ item }}...{% endif %}",
    "coupon_minimum": '{{ " over " ~ coupon_minimum if coupon_minimum }}',
    "coupon_starts": '{{ " from " ~ coupon_starts if coupon_starts }}',
}
_OF_COUPON = {"coupon_code", "coupon_value", "coupon_expires", "coupon_minimum", "coupon_starts"}

# What differs in every text. A template that only writes them is rendered once for all who are told
# the same, with a hole for each: a character that no text has, as names and items lose it.
_HOLES = {"link": "\ue000", "coupon_code": "\ue001"}
_LAST = frozenset(_HOLES)
# What can be put into a hole afterwards: `plain` would leave it as it is.
_FITS = re.compile(r"[!-_a-~]+")
_MOST_STENCILS = 10_000

SAMPLE_NOW = datetime(2024, 2, 1, 12, tzinfo=UTC)
_SAMPLE_LINK = "https://go.example.com/AAAAAAAAA"
_SAMPLES = (
    Recipient(0, "Maximilian", item="Wool blanket", item_kind="viewed", together=("Tea towel",)),
    Recipient(0, "Maximilian", item="Wool blanket", item_kind="bought"),
    Recipient(0, "Maximilian"),
    Recipient(0),
)


_Key = tuple[str, str, str]  # of a text: its step, its variant, its language


def _key(step: Step, language: str) -> _Key:
    return step.name, step.variant, language


def _named(step: Step) -> str:
    """The file of a step's one text, as the policy names it."""
    return step.template[step.variant].template


_kept: dict[tuple[Any, ...], "Templates"] = {}  # those that were checked
_MOST_KEPT = 8


class Templates:
    """The texts of a policy's steps, checked when they are loaded. A step that is asked for is one
    of policy.texts: it has one text, which of two variants is that one's.

    They are in include/templates/sms, and first in the brand's own folder (REENGAGE_TEMPLATES).
    Where the policy names survey.txt, `survey.it.txt` is the text for contacts whose language is
    Italian, or is not known and who are in a country where it is the language
    (include/countries.yaml); everybody else's is that in the brand's language, which may also be
    called survey.txt. Templates are Jinja, in a sandbox, with the fields

    - opening (the sender's name, as the recipient's country wants a text to begin), brand, link,
      and opt_out (how to end it, by a reply where that is possible, else by the link);
    - first_name and item, which may be missing: `{{ first_name or "friend" }}`, `{% if item %}`;
      item_kind ("viewed" or "bought", else empty); together (names of items, may be empty);
    - of steps with a coupon, coupon_code, coupon_value, coupon_expires, and coupon_minimum and
      coupon_starts, which may be missing.

    Raises ConfigurationError, naming file and line, where a file is missing, is no Jinja, names
    an unknown field, needs what a contact may lack, lacks the link, lacks what a country requires,
    or would be too long for everybody. is_checked False: only where a file cannot be read.
    """

    def __init__(
        self, policy: Policy, folder: Path | None = None, *, is_checked: bool = True
    ) -> None:
        self._policy = policy
        self._folders = (folder,) if folder else template_folders("sms")
        self._environment = environment(self._folders)
        self._countries = countries()
        self._forms: dict[tuple[str, str], Form] = {}
        self._templates: dict[_Key, Template] = {}
        self._stencils: dict[tuple[Any, ...], str] = {}
        self._names: dict[tuple[str, str], frozenset[str]] = {}
        for step in policy.texts:
            files = {policy.brand.language: _named(step)}
            for folder in reversed(self._folders):
                files |= self._files(step, folder)
            for language, name in files.items():
                self._templates[_key(step, language)] = self._load(name)
        self._only_writes = {key for key in self._templates if self._read(key).only_writes}
        if is_checked:
            for step in policy.texts:
                for language in self.languages(step):
                    self.check(step, language)

    @classmethod
    def checked(cls, policy: Policy) -> "Templates":
        """The texts of a policy, checked anew only where it or one of their files has changed."""
        files = [
            file
            for folder in template_folders("sms")
            if folder.is_dir()
            for file in sorted(folder.iterdir())
        ]
        key = policy.model_dump_json(), *((str(file), *state(file)) for file in files)
        if key not in _kept:
            made = cls(policy)
            if len(_kept) >= _MOST_KEPT:
                _kept.clear()
            _kept[key] = made
        return _kept[key]

    def _files(self, step: Step, folder: Path) -> dict[str, str]:
        """The names of a step's files in a folder, by language."""
        file = Path(_named(step))
        plain = {self._policy.brand.language: file.name} if (folder / file).is_file() else {}
        return plain | {
            other.suffixes[-2].removeprefix("."): other.name
            for other in sorted(folder.glob(f"{file.stem}.??{file.suffix}"))
        }

    def languages(self, step: Step) -> list[str]:
        """The languages that a step has a template in."""
        of = step.name, step.variant
        return [language for (*text, language) in self._templates if tuple(text) == of]

    def file(self, step: Step, language: str) -> Path:
        """The file of a step's template in a language."""
        return self._place(self._templates[_key(step, language)].name or "")

    def _place(self, name: str) -> Path:
        """Where a file is; where it would be looked for first, if it is nowhere."""
        places = [folder / name for folder in self._folders]
        return next((place for place in places if place.is_file()), places[0])

    def _read(self, key: _Key) -> Parsed:
        file = self._place(self._templates[key].name or "")
        return parsed(file.read_text(encoding="utf-8"), _LAST)

    def names(self, step: Step) -> frozenset[str]:
        """The fields that a step's texts name, in any language."""
        of = step.name, step.variant
        if of not in self._names:
            self._names[of] = frozenset().union(
                *(self._read(_key(step, language)).names for language in self.languages(step))
            )
        return self._names[of]

    def render(
        self,
        step: Step,
        contact: Recipient | Mapping[str, Any],
        link: str,
        coupon: Coupon | None,
        now: datetime,
    ) -> Text:
        """The text of a step for one contact (a Recipient, or a mapping with its fields), as `fit`
        makes it.
        """
        if isinstance(contact, Mapping):
            given: dict[str, Any] = {key: contact.get(key) for key in Recipient.__slots__}
            contact = Recipient(**given)
        return self.fit(step, contact, link, coupon, now).text

    def fit(
        self, step: Step, contact: Recipient, link: str, coupon: Coupon | None, now: datetime
    ) -> Fitted:
        """The text of a step for one contact, and what had to be left out of it.

        now: aware; decides whether a coupon's date needs its year. Where what is the contact's own
        makes the text too long (a letter outside of GSM-7 more than doubles it), it is made
        without the item, else without the name, else without both. Raises TextError, naming step
        and contact id, where it is longer than the policy's max_segments all the same, lacks what
        the contact's country requires, or cannot be rendered.
        """
        language, limit = self.language(step, contact), self.limit(step, contact)
        try:
            for dropped, personal in Personal.of(contact).shorter():
                body = self._render(step, language, contact, personal, link, coupon, now)
                size = segments(body)
                fitted = Fitted(Text(body, size.encoding, size.segments), dropped)
                if size.segments <= limit:
                    break
        except (TemplateError, TypeError, ValueError, ArithmeticError) as error:
            raise TextError(
                f"The text of step {step.name} cannot be made for contact {contact.contact_id}: "
                f"{error}. Correct {self.file(step, language)}."
            ) from error
        if size.segments > limit:
            raise TextError(
                f"The text of step {step.name} for contact {contact.contact_id} takes "
                f"{size.segments} segments ({size.units} units of {size.encoding}), and "
                f"sending.max_segments is {limit}. Shorten {self.file(step, language).name}, or "
                "allow more segments in the policy."
            )
        if breach := self._form(contact, language).breach(body):
            raise TextError(
                f"The text of step {step.name} for contact {contact.contact_id} may not be sent: "
                f"{breach.reason} in {self.file(step, language).name}."
            )
        return fitted

    def limit(self, step: Step, contact: Recipient) -> int:
        """The most segments that a contact's text may take."""
        language = self.language(step, contact)
        return self._policy.sending.segments_for(self._country(contact), language)

    def _country(self, contact: Recipient) -> str:
        return contact.country or self._policy.brand.country

    def language(self, step: Step, contact: Recipient) -> str:
        """The language of a contact's text: their own, else their country's, else the brand's."""
        told = contact.language or self._countries.language_of(contact.country) or ""
        language = told[:2].lower()
        return language if _key(step, language) in self._templates else self._policy.brand.language

    def _form(self, contact: Recipient, language: str) -> Form:
        key = self._country(contact), language
        if key not in self._forms:
            self._forms[key] = self._countries.form(self._policy.brand, *key)
        return self._forms[key]

    def _render(
        self,
        step: Step,
        language: str,
        contact: Recipient,
        personal: Personal,
        link: str,
        coupon: Coupon | None,
        now: datetime,
    ) -> str:
        """The text; where it was made for somebody who is told the same, by that one's stencil."""
        code = coupon.code if coupon else "-"
        if _key(step, language) not in self._only_writes or not (
            _FITS.fullmatch(link) and _FITS.fullmatch(code)
        ):
            return self._made(step, language, contact, personal, link, coupon, now)
        terms = coupon and (
            coupon.kind,
            coupon.value,
            coupon.minimum,
            coupon.starts_at,
            coupon.expires_at,
            contact.time_zone,
            now.astimezone(self._policy.brand.zone).date(),
        )
        key = (_key(step, language), contact.country, personal, terms)
        stencil = self._stencils.get(key)
        if stencil is None:
            general = replace(coupon, code=_HOLES["coupon_code"]) if coupon else None
            stencil = self._made(step, language, contact, personal, _HOLES["link"], general, now)
            if any(map(unicodedata.combining, re.findall("[\ue000\ue001](.)", stencil, re.DOTALL))):
                # It would become one with the last letter of what is put before it.
                return self._made(step, language, contact, personal, link, coupon, now)
            if len(self._stencils) >= _MOST_STENCILS:
                self._stencils.clear()
            self._stencils[key] = stencil
        return stencil.replace(_HOLES["link"], link).replace(_HOLES["coupon_code"], code)

    def _made(
        self,
        step: Step,
        language: str,
        contact: Recipient,
        personal: Personal,
        link: str,
        coupon: Coupon | None,
        now: datetime,
    ) -> str:
        form = self._form(contact, language)
        fields: dict[str, Any] = {
            "brand": self._policy.brand.name,
            "opening": form.opening,
            "first_name": personal.name,
            "item": personal.item,
            "item_kind": (personal.item_kind if personal.item else None) or "",
            "together": personal.together,
            "link": link,
            "opt_out": form.opt_out,
        }
        if coupon:
            fields |= self._offer(coupon, contact, language, now)
        for name in fields.keys() & _MAY_LACK.keys():
            fields[name] = fields[name] or Missing(name=name)
        return plain(self._templates[_key(step, language)].render(fields))

    def _offer(
        self, coupon: Coupon, contact: Recipient, language: str, now: datetime
    ) -> dict[str, Any]:
        brand = self._policy.brand
        locale = locale_of(language, self._country(contact))
        today = now.astimezone(brand.zone).date()

        def on(date: date) -> str:
            return day(date, locale, with_year=date > today + timedelta(days=300))

        ends = coupon.last_day(brand.zone)
        expires = on(ends)
        if coupon.expires_at < self._policy.end_of(ends):
            # Inside of a day: the day alone would promise hours that the shop refuses.
            zone = zone_of(contact.time_zone, brand.zone)
            is_far = ends > today + timedelta(days=300)
            expires = moment(coupon.expires_at, zone, locale, with_year=is_far)
        starts = coupon.first_day(brand.zone)
        least = coupon.least_order(brand.currency, locale)
        return {
            "coupon_code": coupon.code,
            "coupon_value": money(coupon.worth(brand.currency, locale), brand.currency, locale),
            "coupon_expires": expires,
            "coupon_minimum": least and money(least, brand.currency, locale),
            # A sale that is on needs no beginning any more.
            "coupon_starts": on(starts) if starts and starts > today else None,
        }

    def _load(self, name: str) -> Template:
        try:
            template = self._environment.get_template(name)
            if template.filename != str(self._place(name)) and self._environment.cache is not None:
                # Another file of that name has come before it, or has gone.
                self._environment.cache.clear()
                template = self._environment.get_template(name)
            return template
        except TemplateNotFound as error:
            raise ConfigurationError(
                f"There is no template {self._place(name)}: write it, or one in the brand's "
                f"language ({Path(name).stem}.{self._policy.brand.language}.txt), or name another "
                "one in the policy's steps."
            ) from error
        except TemplateSyntaxError as error:
            raise ConfigurationError(
                f"{self._place(name)}, line {error.lineno}: {error.message}."
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{self._place(name)} cannot be read: {error}.") from error

    def check(self, step: Step, language: str) -> None:
        """See that a template can be rendered for everybody, says what every country with a rule
        requires, and is not too long for those in the brand's own. Raises ConfigurationError.
        """
        template = self._templates[_key(step, language)]
        file = self.file(step, language)
        fields = _FIELDS | (_MAY_LACK.keys() - _OF_COUPON) | (_OF_COUPON if step.coupon else set())
        text = file.read_text(encoding="utf-8")
        source = parsed(text, _LAST)
        unknown = source.names - fields
        for node in sorted(source.tree.find_all(nodes.Name), key=lambda node: node.lineno):
            if node.name in unknown:
                hint = " of a step without a coupon" if node.name.startswith("coupon_") else ""
                raise ConfigurationError(
                    f"{file}, line {node.lineno}: there is no field {node.name!r}{hint}. "
                    f"There are {', '.join(sorted(fields))}."
                )
        coupon, now = self.sample_coupon(step, SAMPLE_NOW)
        bodies: list[tuple[Recipient, str]] = []
        own = self._policy.brand.country
        for place in (*sorted(self._countries.rules.keys() - {own}), own):
            for sample in _SAMPLES:
                contact = replace(sample, language=language, country=place)
                try:
                    body = self._render(
                        step, language, contact, Personal.of(contact), _SAMPLE_LINK, coupon, now
                    )
                except ConfigurationError:
                    raise
                except Exception as error:
                    lines = [
                        frame.lineno
                        for frame in traceback.extract_tb(error.__traceback__)
                        if frame.filename == template.filename
                    ]
                    lacks = re.match(r"'(\w+)' is undefined", str(error))
                    how = _MAY_LACK.get(lacks[1]) if lacks else None
                    hint = f" Not every contact has one: write {how}." if how else ""
                    raise ConfigurationError(
                        f"{file}, line {lines[-1] if lines else 1}: {error}.{hint}"
                    ) from error
                bodies.append((contact, body))
        if not all(_SAMPLE_LINK in body for _, body in bodies):
            raise ConfigurationError(
                f"{file}: the text has no {{{{ link }}}}, so nobody could answer it."
            )
        for contact, body in bodies:
            if breach := self._form(contact, language).breach(body):
                line = len(text.rstrip().splitlines()) if breach.is_at_end else 1
                raise ConfigurationError(f"{file}, line {line}: {breach.reason}.")
        # The last is the shortest text that a contact in the brand's country can get.
        contact, body = bodies[-1]
        size, limit = segments(body), self.limit(step, contact)
        if size.segments > limit:
            raise ConfigurationError(
                f"{file}: even without a name the text takes {size.segments} segments "
                f"({size.units} units of {size.encoding}), and sending.max_segments is "
                f"{limit}. Shorten it."
            )

    def sample_coupon(
        self, step: Step, now: datetime, code: str | None = None
    ) -> tuple[Coupon | None, datetime]:
        """A coupon as the step would give out, and when: now, or the day before its sale. code: as
        one of its pool would be; None: one of our own.
        """
        if step.coupon is None:
            return None, now
        if step.coupon.sale:
            begins = step.coupon.sale.from_.replace(tzinfo=self._policy.brand.zone)
            now = begins - timedelta(days=1)
        coupon = Coupon.issue(step.coupon, self._policy, now)
        return replace(coupon, code=code or coupon.code), now


# ------------------------------------------------------------------------ identity

_NAMESPACE = uuid.UUID("4f1c1f0e-6c0e-5d0b-9a57-2f3b7c8d1e60")


def message_id(contact_id: int, dormant_since: date, step: str, channel: str) -> uuid.UUID:
    """The id of the one message of that key: a UUIDv5, the same on every machine and rerun."""
    return uuid.uuid5(_NAMESPACE, f"{contact_id}/{dormant_since.isoformat()}/{step}/{channel}")
