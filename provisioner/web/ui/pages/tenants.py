"""Making a tenant, and its own fields."""

from collections.abc import Mapping

from aiohttp import web

from provisioner.errors import BadInput, Conflict
from provisioner.model import Tenant
from provisioner.services.people.tenants import create_tenant, update_tenant
from provisioner.web.ui.fields import Field, Form, chosen_id, refilled
from provisioner.web.ui.pages.selects import networks_field, policy_faults, policy_select
from provisioner.web.ui.pages.shapes import FormPage
from provisioner.web.ui.visit import Visit, redirect

_TEXTS = ("name", "sip_domain", "main_number", "policy", "networks")
_FLAGS = ("is_premium", "is_seating_hidden", "is_clear_text_allowed")


async def new_tenant(visit: Visit) -> web.StreamResponse:
    return visit.show(FormPage(title=visit.language.translate("New tenant"), form=_new_form(visit)))


async def add_tenant(visit: Visit) -> web.StreamResponse:
    posted = await visit.posted()
    given = {name: posted.get(name, "").strip() for name in ("key", "name", "sip_domain")}
    try:
        tenant = await create_tenant(visit.context, visit.actor, **given)
    except (BadInput, Conflict) as error:
        form = refilled(_new_form(visit), posted, visit.faults(error))
        return visit.show(
            FormPage(title=visit.language.translate("New tenant"), form=form), status=error.status
        )
    return redirect(f"/t/{tenant.key}?done=created")


async def edit_tenant(visit: Visit) -> web.StreamResponse:
    tenant = _tenant(visit)
    return visit.show(FormPage(title=tenant.name, form=_form(visit, tenant)))


async def change_tenant(visit: Visit) -> web.StreamResponse:
    """Save the tenant's own fields; every phone gets a new file when that matters to phones."""
    tenant, posted = _tenant(visit), await visit.posted()
    try:
        await update_tenant(visit.context, visit.actor, tenant_id=tenant.id, **_fields(posted))
    except (BadInput, Conflict) as error:
        form = refilled(_form(visit, tenant), posted, policy_faults(visit, error))
        return visit.show(FormPage(title=tenant.name, form=form), status=error.status)
    return visit.go("settings", done="saved")


def _tenant(visit: Visit) -> Tenant:
    assert visit.tenant is not None  # the address begins with /t/<key>
    return visit.tenant


def _fields(posted: Mapping[str, str]) -> dict[str, object]:
    texts: dict[str, object] = {name: posted.get(name, "") for name in _TEXTS}
    flags: dict[str, object] = {name: name in posted for name in _FLAGS}
    return {**texts, **flags, "password_minimum": chosen_id(posted.get("password_minimum", "")) or 0}


def _new_form(visit: Visit) -> Form:
    _ = visit.language.translate
    return Form(
        action="/tenants/new",
        submit=_("Create tenant"),
        cancel="/",
        fields=(
            Field(name="name", label=_("Name"), required=True, maxlength=120),
            Field(
                name="key",
                label=_("Key"),
                required=True,
                is_code=True,
                maxlength=40,
                help=_("Stands in addresses of pages: small letters, digits and dashes. It stays."),
            ),
            Field(
                name="sip_domain",
                label=_("SIP domain"),
                required=True,
                is_code=True,
                maxlength=253,
                placeholder="pbx.example.net",
                help=_(
                    "The domain of the addresses and the realm of the SIP passwords; the registrar must use the same."
                ),
            ),
        ),
    )


def _form(visit: Visit, tenant: Tenant) -> Form:
    _ = visit.language.translate
    return Form(
        action=visit.path("edit"),
        submit=_("Save"),
        cancel=visit.path("settings"),
        fields=(
            Field(name="name", label=_("Name"), value=tenant.name, required=True, maxlength=120),
            Field(
                name="sip_domain",
                label=_("SIP domain"),
                value=tenant.sip_domain,
                required=True,
                is_code=True,
                maxlength=253,
            ),
            Field(
                name="main_number",
                label=_("Main number"),
                value=tenant.main_number,
                inputmode="tel",
                maxlength=32,
            ),
            *_about_people(visit, tenant),
            policy_select(
                visit,
                tenant.policy,
                label=_("How phones prove themselves"),
                none=_("As the server has it"),
            ),
            networks_field(visit, tenant.networks),
            Field(
                name="password_minimum",
                label=_("Shortest device configuration password"),
                control="number",
                value=str(tenant.password_minimum),
                help=_("6 to 40 characters."),
            ),
            Field(
                name="is_clear_text_allowed",
                label=_("Serve configurations without TLS to the office networks"),
                control="checkbox",
                value="on" if tenant.is_clear_text_allowed else "",
                help=_(
                    "For very old phones only: whoever listens in that network reads every password. Stands in the audit log."
                ),
            ),
        ),
    )


def _about_people(visit: Visit, tenant: Tenant) -> tuple[Field, ...]:
    """What decides how many phones people have, and what is shown of where they sit."""
    _ = visit.language.translate
    return (
        Field(
            name="is_premium",
            label=_("Premium: up to nine devices for one user"),
            control="checkbox",
            value="on" if tenant.is_premium else "",
            help=_(
                "All of them ring together; queues ring the primary one alone. Without premium a user has one device; "
                "it cannot be switched off while somebody has several."
            ),
        ),
        Field(
            name="is_seating_hidden",
            label=_("Show nobody who sits where"),
            control="checkbox",
            value="on" if tenant.is_seating_hidden else "",
            help=_(
                "Who logs in where and when says how people work. With this on, the page “Who sits where”, lists and "
                "phone screens name nobody; logging in and out works as ever."
            ),
        ),
    )
