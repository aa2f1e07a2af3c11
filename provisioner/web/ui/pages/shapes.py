"""What several pages share: a page that is one form, a page that asks for a yes, and turning over long lists."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from provisioner.services.people.users import Page as Some
from provisioner.web.ui.fields import Field, Form
from provisioner.web.ui.visit import Page, Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class FormPage(Page):
    template: ClassVar[str] = "form.html"
    form: Form
    intro: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmPage(Page):
    """A form of its own for what cannot be undone."""

    template: ClassVar[str] = "confirm.html"
    sentence: str
    form: Form


def confirmation(
    visit: Visit,
    sentence: str,
    *,
    title: str,
    submit: str,
    action: Sequence[object],
    cancel: Sequence[object],
    fields: Sequence[Field] = (),
    error: str = "",
) -> ConfirmPage:
    """The question before what cannot be undone; `action` and `cancel` are parts of paths, as `Visit.path` takes them."""
    return ConfirmPage(
        title=title,
        sentence=sentence,
        form=Form(
            action=visit.path(*action),
            submit=submit,
            fields=fields,
            cancel=visit.path(*cancel),
            error=error,
            is_danger=True,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pager:
    """Where this part of a list lies; empty addresses where there is nothing further."""

    first: int
    last: int
    total: int
    back: str
    on: str


def pager(visit: Visit, some: Some[Any], *parts: object, **query: object) -> Pager:
    """The pager of a list whose offset is the query parameter `from`."""
    after = some.offset + len(some.items)
    before = max(0, some.offset - some.limit)
    return Pager(
        first=some.offset + 1 if some.items else 0,
        last=after,
        total=some.total,
        back=visit.path(*parts, **query, **{"from": before or None}) if some.offset else "",
        on=visit.path(*parts, **query, **{"from": after}) if after < some.total else "",
    )
