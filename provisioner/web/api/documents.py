"""What goes in and comes out: the bases of all JSON documents of the REST door, and their common fields."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

T = TypeVar("T")

LARGEST_ID = 2**31 - 1
"""What an integer column of PostgreSQL holds."""
PAGE = 50
MAX_PAGE = 500

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")


def _plain_integer(value: Any) -> Any:
    """Refuse the spellings that Python reads and nobody else does: 1_000, +5, " 5", 05."""
    if isinstance(value, str) and not _INTEGER.fullmatch(value):
        raise ValueError("a whole number is wanted")
    return value


Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]
QueryId = Annotated[int, Field(ge=1, le=LARGEST_ID), BeforeValidator(_plain_integer)]
Line = Annotated[str, Field(max_length=300, pattern=r"^[^\x00-\x1f]*$")]
"""Text without line breaks; the use cases say how long it really may be."""
Text = Annotated[str, Field(max_length=1_000, pattern=r"^[^\x00]*$")]
Secret = Annotated[
    str, Field(max_length=256, pattern=r"^[^\x00]*$", json_schema_extra={"format": "password"})
]


class Document(BaseModel):
    """An answer; made from a row of the model or from its fields."""

    model_config = ConfigDict(from_attributes=True, extra="ignore")


class Request(BaseModel):
    """What a client sends: nothing unknown, no type guessed from another."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    def given(self) -> dict[str, Any]:
        """The members that were sent, as they are."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def _without_defaults(schema: dict[str, Any]) -> None:
    for entry in schema.get("properties", {}).values():
        entry.pop("default", None)


class Change(Request):
    """A PATCH: what is not sent stays as it is, so there are no defaults."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)


class Query(BaseModel):
    """Query parameters; an unknown one is refused, for it is a spelling mistake that would be missed."""

    model_config = ConfigDict(extra="forbid")


class PageQuery(Query):
    offset: Annotated[
        int,
        Field(ge=0, le=LARGEST_ID, description="How many to leave out at the start."),
        BeforeValidator(_plain_integer),
    ] = 0
    limit: Annotated[
        int,
        Field(ge=1, le=MAX_PAGE, description="How many to give at most."),
        BeforeValidator(_plain_integer),
    ] = PAGE


class Page(Document, Generic[T]):
    """Some of many. The Link header names the next and the previous page."""

    items: Sequence[T]
    total: int = Field(ge=0, description="How many there are in all.")
    offset: int = Field(ge=0)
    limit: int = Field(ge=1)

    @classmethod
    def cut(cls, items: Sequence[Any], query: PageQuery) -> Self:
        """The page of a list that is here as a whole."""
        return cls(
            items=items[query.offset : query.offset + query.limit],
            total=len(items),
            offset=query.offset,
            limit=query.limit,
        )
