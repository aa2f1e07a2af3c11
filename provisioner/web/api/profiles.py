"""Installed vendor profiles and their models."""

from pydantic import Field

from provisioner.access.permissions import Permission
from provisioner.errors import NotFound
from provisioner.profiles.manifest import Profile
from provisioner.web.api.documents import Document, Page, PageQuery
from provisioner.web.api.endpoint import Call, Endpoint, ReadCall


class ModelDocument(Document):
    """One phone model: how much it carries."""

    id: str
    label: str
    lines: int
    keys: int = Field(description="Function keys on the phone itself, all pages.")
    modules: int
    module_keys: int
    module_label: str
    screen: str
    features: list[str]
    note: str


class ListedProfile(Document):
    id: str
    label: str
    ouis: list[str] = Field(description="Address blocks of this vendor.")
    username_max: int
    password_max: int
    models: int = Field(description="How many.")


class ProfileDocument(ListedProfile):
    models: list[ModelDocument]  # type: ignore[assignment]  # the list in place of its length


class ProfilePage(Page[ListedProfile]):
    """In the order of the "New device" list. `broken`: vendor folders that are switched off, and why."""

    broken: dict[str, str]


async def list_profiles(call: Call[PageQuery, None]) -> ProfilePage:
    found, query = list(call.context.profiles.all.values()), call.query
    items = [
        ListedProfile(**_common(profile), models=len(profile.models))
        for profile in found[query.offset : query.offset + query.limit]
    ]
    return ProfilePage(
        items=items,
        total=len(found),
        offset=query.offset,
        limit=query.limit,
        broken=dict(call.context.profiles.broken),
    )


async def get_profile(call: ReadCall) -> ProfileDocument:
    """One vendor with all models."""
    profile = call.context.profiles.all.get(call.path["profile"])
    if profile is None:
        raise NotFound("There is no such vendor profile.")
    return ProfileDocument(
        **_common(profile), models=[ModelDocument.model_validate(model) for model in profile.models.values()]
    )


def _common(profile: Profile) -> dict[str, object]:
    return {
        "id": profile.id,
        "label": profile.label,
        "ouis": list(profile.ouis),
        "username_max": profile.username_max,
        "password_max": profile.password_max,
    }


ENDPOINTS = (
    Endpoint(
        method="GET", path="/profiles", permission=Permission.PROFILES_READ, handler=list_profiles, summary="List vendor profiles", tag="profiles",
        query=PageQuery, response=ProfilePage,
    ),
    Endpoint(
        method="GET", path="/profiles/{profile}", permission=Permission.PROFILES_READ, handler=get_profile, summary="One vendor profile with its models",
        tag="profiles", response=ProfileDocument, errors=(NotFound,),
    ),
)  # fmt: skip
