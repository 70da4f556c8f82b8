"""Where data comes from: source files (YAML) and what they say about the retailer's data."""

import hashlib
import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from reengage.errors import ConfigurationError
from reengage.policy import Kind, TimeZone, explain, read_yaml
from reengage.settings import settings

Entity = Literal["contact", "interaction", "consent", "product"]

ENTITIES = ("contact", "interaction", "consent", "product")  # in the order in which core takes them

# What a source may say about each entity; the names on the left side of `columns`.
COLUMNS: dict[str, tuple[str, ...]] = {
    "contact": (
        "source_contact_id",
        "phone",
        "email",
        "first_name",
        "last_name",
        "language",
        "country",
        "time_zone",
        "lifecycle_class",
        "created_at",
        "loyalty_card_id",
        "shop_account_id",
    ),
    "interaction": (
        "source_event_id",
        "source_contact_id",
        "contact_source",
        "occurred_at",
        "amount",
        "currency",
        "product_id",
        "coupon_code",
    ),
    "consent": (
        "source_contact_id",
        "contact_source",
        "channel",
        "purpose",
        "basis",
        "granted_at",
        "withdrawn_at",
        "wording",
        "language",
    ),
    "product": (
        "source_product_id",
        "name",
        "category",
        "url",
        "image_url",
        "price",
        "currency",
        "available",
    ),
}
REQUIRED: dict[str, tuple[str, ...]] = {
    "contact": ("source_contact_id",),
    "interaction": ("source_contact_id", "occurred_at"),
    "consent": ("source_contact_id",),
    "product": ("source_product_id",),
}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Constant(_Part):
    """A value that every row has."""

    value: str | int | float | bool


class KindColumn(_Part):
    """The kind of interaction is in a column. Rows of values that `map` does not name are left."""

    column: str
    map: dict[str, Kind]


Strings = Annotated[
    tuple[str, ...], BeforeValidator(lambda v: v if isinstance(v, list | tuple) else [v])
]


class Source(_Part):
    """One source YAML.

    time_zone: of timestamps without a zone; none given, the brand's. required: the journey waits
    for it. broken_files: whether a file of a required source that is empty, cut or without a named
    column stops the day; the good rows load either way. time_format: as of strptime, where times
    are not ISO 8601. exclude: rows that are no facts, by column and values. identities: whose ids
    loyalty_card_id and shop_account_id are. verified: columns by which a card joins one of another
    source, and by its phone also one of its own. product_source: whose product ids an
    interaction's are, where they are another source's. complete_marker: a file whose content is the
    date through which an event feed is complete.
    """

    source: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    entity: Entity
    kind: Kind | KindColumn | None = None
    connector: Literal["files"]
    path: str
    format: Literal["csv", "jsonl", "parquet"] | None = None
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    time_zone: TimeZone | None = None
    time_format: str | None = None
    required: bool = False
    broken_files: Literal["warn", "stop"] = "warn"
    complete_marker: str | None = None
    columns: dict[str, str | Constant]
    exclude: dict[str, Strings] = {}
    identities: dict[Literal["loyalty_card_id", "shop_account_id"], str] = {
        "loyalty_card_id": "loyalty",
        "shop_account_id": "shop",
    }
    verified: tuple[Literal["phone", "email"], ...] = ()
    product_source: str | None = None
    mapping_hash: str = ""

    @model_validator(mode="after")
    def _fits_entity(self) -> "Source":
        allowed = COLUMNS[self.entity]
        for name in self.columns:
            if name not in allowed:
                raise ValueError(f"columns: {name} is none of {', '.join(allowed)}")
        for name in REQUIRED[self.entity]:
            if name not in self.columns:
                raise ValueError(f"columns: a source of {self.entity}s needs {name}")
        if self.entity == "consent" and not {"granted_at", "withdrawn_at"} & self.columns.keys():
            raise ValueError("columns: a source of consents needs granted_at or withdrawn_at")
        if (self.entity == "interaction") != (self.kind is not None):
            raise ValueError("kind: an interaction needs one, and nothing else has one")
        if self.product_source is not None and "product_id" not in self.columns:
            raise ValueError("product_source: says whose product_id it is, and there is none")
        return self

    @property
    def name(self) -> str:
        """What people and logs call it: shop (interaction)."""
        return f"{self.source} ({self.entity})"

    @property
    def named_columns(self) -> dict[str, str]:
        """The file's columns that the YAML names, by ours."""
        return {ours: theirs for ours, theirs in self.columns.items() if isinstance(theirs, str)}

    @property
    def all_columns(self) -> list[str]:
        """Every column of the file that is read: what the YAML does not name stays outside."""
        kind = [self.kind.column] if isinstance(self.kind, KindColumn) else []
        return list(dict.fromkeys([*self.named_columns.values(), *self.exclude, *kind]))


def expand(text: str, where: str) -> str:
    """The text with ${NAME} filled in from the environment; REENGAGE_HOME is always known.

    Raises ConfigurationError where a variable is not set.
    """
    known = {**os.environ, "REENGAGE_HOME": str(settings().home)}
    for name in re.findall(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", text):
        if name not in known:
            raise ConfigurationError(
                f"{where} uses ${{{name}}}, but {name} is not set: export {name}=… first."
            )
    return re.sub(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", lambda m: known[m.group(1)], text)


def read_source(file: Path) -> Source:
    """One source YAML. Raises ConfigurationError: the file, the key, what is allowed."""
    text, content = read_yaml(file, "source")
    if not isinstance(content, dict):
        raise ConfigurationError(f"The source {file} is no YAML mapping.")
    try:
        source = Source.model_validate(
            {**content, "mapping_hash": hashlib.sha256(text.encode()).hexdigest()[:16]}
        )
    except ValidationError as error:
        raise ConfigurationError(f"The source {file} {explain(error)}") from error
    path = Path(expand(source.path, str(file)))
    marker = source.complete_marker and expand(source.complete_marker, str(file))
    return source.model_copy(
        update={
            # A relative path is relative to the YAML, wherever the command is typed.
            "path": str(path if path.is_absolute() else file.parent / path),
            "complete_marker": marker and str(file.parent / marker),
        }
    )


def read_sources(folder: Path | None = None) -> list[Source]:
    """All sources of this installation, contacts first (they say whose ids the others use).

    Raises ConfigurationError for a folder without sources, and for two of one name and entity.
    """
    folder = folder or settings().sources
    files = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    if not files:
        raise ConfigurationError(
            f"No source in {folder}: put a YAML file there (see the *.yaml.example files in "
            "include/sources), or set REENGAGE_SOURCES to the folder that has them."
        )
    sources = [read_source(file) for file in files]
    seen: dict[str, Path] = {}
    for source, file in zip(sources, files, strict=True):
        if source.name in seen:
            raise ConfigurationError(
                f"{file} and {seen[source.name]} are both called {source.name}: rename one."
            )
        seen[source.name] = file
    return sorted(sources, key=lambda s: ENTITIES.index(s.entity))
