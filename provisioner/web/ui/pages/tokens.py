"""Tokens of programs: shown once, revoked for good."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web

from provisioner.access.permissions import Role
from provisioner.errors import BadInput, Forbidden, NotFound
from provisioner.model import ApiToken
from provisioner.services.people.api_tokens import create_token, list_tokens, revoke_token
from provisioner.web.ui.fields import Field, Form, chosen_id, options, refilled
from provisioner.web.ui.pages.shapes import FormPage, confirmation
from provisioner.web.ui.visit import Page, Visit
from provisioner.web.ui.words import ROLES


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensPage(Page):
    template: ClassVar[str] = "tokens.html"
    tokens: Sequence[ApiToken]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCreatedPage(Page):
    """Shown once."""

    template: ClassVar[str] = "token_created.html"
    token: ApiToken
    text: str


async def show_tokens(visit: Visit) -> web.StreamResponse:
    return visit.show(TokensPage(title=visit.language.translate("Tokens"), tokens=await _tokens(visit)))


async def new_token(visit: Visit) -> web.StreamResponse:
    return visit.show(FormPage(title=visit.language.translate("New token"), form=_form(visit)))


async def add_token(visit: Visit) -> web.StreamResponse:
    """Make a token; its text is on the answer and nowhere else."""
    posted, _ = await visit.posted(), visit.language.translate
    days = posted.get("days", "").strip()
    try:
        made = await create_token(
            visit.context,
            visit.actor,
            name=posted.get("name", ""),
            role=posted.get("role", ""),
            tenant_id=visit.tenant.id if visit.tenant else None,
            days=(chosen_id(days) or 0) if days else None,
        )
    except (BadInput, Forbidden) as error:
        faults = visit.faults(error) if isinstance(error, BadInput) else {"": visit.say(error)}
        form = refilled(_form(visit), posted, faults)
        return visit.show(FormPage(title=_("New token"), form=form), status=error.status)
    return visit.show(TokenCreatedPage(title=made.row.name, token=made.row, text=made.text))


async def confirm_revocation(visit: Visit) -> web.StreamResponse:
    token, _ = await _find(visit), visit.language.translate
    sentence = _("The program that uses %(name)s is turned away from now on; this cannot be undone.")
    page = confirmation(
        visit,
        sentence % {"name": token.name},
        title=_("Revoke token"),
        submit=_("Revoke"),
        action=("tokens", token.id, "revoke"),
        cancel=("tokens",),
    )
    return visit.show(page)


async def revoke(visit: Visit) -> web.StreamResponse:
    token = await _find(visit)
    await revoke_token(visit.context, visit.actor, token_id=token.id)
    return visit.go("tokens", done="revoked")


async def _tokens(visit: Visit) -> Sequence[ApiToken]:
    tokens = await list_tokens(visit.context, visit.actor)
    return [token for token in tokens if visit.tenant is None or token.tenant_id == visit.tenant.id]


async def _find(visit: Visit) -> ApiToken:
    for token in await _tokens(visit):
        if token.id == visit.number("token"):
            return token
    raise NotFound("There is no such token.")


def _form(visit: Visit) -> Form:
    _ = visit.language.translate
    roles = [Role.PBX, Role.INSTALLER, Role.ADMIN] if visit.tenant else [Role.PBX, Role.OPERATOR]
    return Form(
        action=visit.path("tokens", "new"),
        submit=_("Create token"),
        cancel=visit.path("tokens"),
        fields=(
            Field(
                name="name", label=_("What uses it"), required=True, maxlength=80, placeholder="kamailio-1"
            ),
            Field(
                name="role",
                label=_("Role"),
                control="select",
                value=roles[0],
                choices=options((role, _(ROLES[role])) for role in roles),
            ),
            Field(
                name="days",
                label=_("Good for days"),
                inputmode="numeric",
                maxlength=4,
                help=_("Empty: until it is revoked."),
            ),
        ),
    )
