"""“One of these” for any number of values: one text and one parameter, so that the statement is prepared once."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, any_, bindparam, func, select
from sqlalchemy import column as sql_column
from sqlalchemy.dialects.postgresql import ARRAY

WANTED = "wanted"
"""The parameter's name."""


def among(column: Any, kind: Any, *, is_sqlite: bool) -> ColumnElement[bool]:
    """The condition; `kind` is the SQL type of the values, which `packed` makes the parameter."""
    if is_sqlite:
        return column.in_(  # type: ignore[no-any-return]  # a column is Any here: of an entity or of a table
            select(func.json_each(bindparam(WANTED)).table_valued(sql_column("value", kind)).c.value)
        )
    return column == any_(bindparam(WANTED, type_=ARRAY(kind)))  # type: ignore[no-any-return]


def packed(values: Sequence[Any], *, is_sqlite: bool) -> dict[str, Any]:
    """The parameter for these values."""
    return {WANTED: json.dumps(list(values)) if is_sqlite else list(values)}
