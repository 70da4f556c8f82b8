"""What the landing pages say: one catalogue a language, in include/templates/landing/texts, and
over it what the brand's own folder says (REENGAGE_TEMPLATES).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from string import Formatter
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time, get_timezone_location
from babel.lists import format_list
from babel.numbers import format_decimal
from markupsafe import Markup, escape

from reengage.errors import ConfigurationError
from reengage.policy import Brand
from reengage.texts.recipients import locale_of
from reengage.yaml_files.reading import read_yaml

Texts = Mapping[str, Markup]


class Catalogues:
    """The texts of the pages in every language there is a file for.

    folders: where the files are, the brand's own first: what its file says takes the place of
    ours, key by key. A key that a language lacks is said in the brand's. Raises ConfigurationError,
    naming file and key: where a file is no YAML of texts, where the brand's language has no file or
    lacks a key of `needed`, where another has a key that the brand's has not (it is misspelt), and
    where a text wants to be filled with what the brand's is not.
    """

    def __init__(self, folders: Sequence[Path], brand: Brand, needed: Iterable[str] = ()) -> None:
        self._brand = brand
        said: dict[str, dict[str, str]] = {}
        where: dict[tuple[str, str], Path] = {}
        for folder in reversed(folders):
            for file in sorted(folder.glob("??.yaml")):
                texts = _read(file)
                said.setdefault(file.stem, {}).update(texts)
                where |= {(file.stem, key): file for key in texts}
        own = folders[0] / f"{brand.language}.yaml"
        if brand.language not in said:
            raise ConfigurationError(
                f"The landing pages are not written in the brand's language: {own} is missing. "
                "Copy another language's file there and write it."
            )
        model = said[brand.language]
        if missing := sorted(set(needed) - model.keys()):
            raise ConfigurationError(
                f"{own} lacks {', '.join(missing)}: the landing pages say them, so write them."
            )
        for language, texts in said.items():
            for key, text in texts.items():
                file = where[language, key]
                if key not in model:
                    raise ConfigurationError(
                        f"{file}: no page says {key}. If a page should, write it in {own} too."
                    )
                there = _fields(model[key], where[brand.language, key], key)
                if wrong := sorted(_fields(text, file, key) - there):
                    known = ", ".join(sorted(there)) or "nothing"
                    raise ConfigurationError(
                        f"{file}: {key} wants to be filled with {', '.join(wrong)}, but there is "
                        f"{known}."
                    )
        self._texts: dict[str, Texts] = {
            language: {
                key: Markup(escape(text).replace("\n", Markup("<br>")))
                for key, text in {**model, **texts}.items()
            }
            for language, texts in said.items()
        }

    @property
    def languages(self) -> list[str]:
        """The languages there are, the brand's first."""
        own = self._brand.language
        return [own, *(language for language in self._texts if language != own)]

    def preferred(self, header: str) -> str | None:
        """The first of a browser's languages (its header Accept-Language, RFC 9110) in which the
        pages are written; None without one.
        """
        wanted = []
        for place, part in enumerate(header.split(",")):
            name, _, weight = part.partition(";")
            found = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", weight) if weight else None
            quality = 1.0 if not weight else float(found[1]) if found else 0.0
            wanted.append((-quality, place, name.strip().lower()[:2]))
        known = (name for less, _, name in sorted(wanted) if less and name in self._texts)
        return next(known, None)

    def voice(self, language: str | None = None, country: str | None = None) -> "Voice":
        """How a page speaks to somebody: in their language where it is written in it, else in the
        brand's.
        """
        known = (language or "").lower()[:2]
        if known not in self._texts:
            known = self._brand.language
        return Voice(self._texts[known], known, country or self._brand.country, self._brand)


class Voice:
    """A page's texts in one language, and how it writes dates, numbers and lists."""

    def __init__(self, texts: Texts, language: str, country: str, brand: Brand) -> None:
        self._texts = texts
        self._brand = brand
        self.language = language
        self.locale = locale_of(language, country)

    def __call__(self, key: str, **values: object) -> Markup:
        """A text, filled in; what fills it is escaped."""
        return self._texts[key].format(**values)

    def say(self, words: Mapping[str, str]) -> Markup:
        """Words of the policy, marked with their language where it is not the page's."""
        if text := words.get(self.language):
            return escape(text)
        own = self._brand.language
        text = words[own] if own in words else words[""]
        if own == self.language:
            return escape(text)
        return Markup('<span lang="{}">{}</span>').format(own, text)

    def day(self, day: date) -> Markup:
        """A date, kept on one line."""
        text = format_date(day, "long", locale=self.locale)
        return Markup('<span class="whole">{}</span>').format(text)

    def time(self, at: datetime, zone: ZoneInfo) -> Markup:
        """A time of day, with the city whose time it is, kept on one line."""
        local = at.astimezone(zone)
        # In full where a day has halves: Korean has 오후 there, and PM for short.
        pattern = re.sub(r"(?<!a)a(?!a)", "aaaa", self.locale.time_formats["short"].pattern)
        text = format_time(local, pattern, locale=self.locale)
        city = get_timezone_location(local, locale=self.locale, return_city=True)
        return Markup('<span class="whole">{} ({})</span>').format(text, city)

    def number(self, number: int) -> str:
        return format_decimal(number, locale=self.locale)

    def list(self, parts: Iterable[str]) -> str:
        """Several as one: a, b and c."""
        return format_list(list(parts), locale=self.locale)

    def countries(self, codes: Iterable[str]) -> str:
        """The names of countries, as one."""
        return self.list(self.locale.territories.get(code, code) for code in codes)


def _read(file: Path) -> dict[str, str]:
    """The texts of a file by part and key: survey.title."""
    _, content = read_yaml(file, "texts")
    if not isinstance(content, dict) or not all(isinstance(c, dict) for c in content.values()):
        raise ConfigurationError(f"{file} holds no texts: see en.yaml beside it.")
    texts = {f"{part}.{key}": text for part, keys in content.items() for key, text in keys.items()}
    for key, text in texts.items():
        if not isinstance(text, str) or not text.strip():
            raise ConfigurationError(
                f"{file}: {key} is no text, but {text!r}. Put keys and texts that YAML takes for "
                'something else (yes, no, off) in quotes: "yes".'
            )
    return texts


def _fields(text: str, file: Path, key: str) -> set[str]:
    """The names in braces of a text."""
    try:
        names = {name for _, name, _, _ in Formatter().parse(text) if name is not None}
    except ValueError as error:
        raise ConfigurationError(f"{file}: {key}: {error}. Write a brace twice to show it.") from (
            error
        )
    if wrong := [name for name in names if not re.fullmatch("[a-z_]+", name)]:
        raise ConfigurationError(f"{file}: {key}: {{{wrong[0]}}} is no name of a field.")
    return names
