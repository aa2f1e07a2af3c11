"""What is said about devices over REST: documents, queries and requests."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from provisioner.web.api.documents import (
    Change,
    Document,
    Id,
    Line,
    Page,
    PageQuery,
    Query,
    QueryId,
    Request,
    Secret,
    Text,
)
from provisioner.web.api.tenants import Policy
from provisioner.web.api.users import Search

Language = Annotated[Literal["en", "nl", "de", "pl"], Field(description="Language of the steps.")]
State = Literal["never", "registered", "unregistered", "expired", "failed"]
MacText = Annotated[
    str,
    Field(
        max_length=64,
        description="Twelve hexadecimal digits, any usual separators and case.",
        examples=["00:04:13:AA:BB:CC"],
    ),
]
ProfileId = Annotated[str, Field(max_length=60, description="A vendor profile, see GET /profiles.")]
ModelId = Annotated[str, Field(max_length=60, description="A model of that profile.")]
Name = Annotated[Line, Field(description="At most 80 characters; left out, it is made of model and user.")]
Password = Annotated[
    Secret,
    Field(
        description="Device configuration password: at least 6 characters with an upper-case letter, a lower-case letter, a digit and a special character. Left out, one is generated."
    ),
]
Note = Annotated[Text, Field(description="At most 500 characters, for people.")]


class RegistrationDocument(Document):
    """The green tick of the device account. `until`: when the newest binding ends by itself."""

    state: State
    since: datetime | None
    until: datetime | None
    reason: str
    source: str = Field(description="Who said so: registrar, or only the phone itself; empty for never.")


class DeviceUser(Document):
    id: int
    name: str
    extension: str


Place = Annotated[Line, Field(description="Floor and room, for emergency calls; at most 120 characters.")]
EmergencyCallerId = Annotated[
    Line, Field(description="Number shown on emergency calls; empty takes the site's.")
]


class DeviceDocument(Document):
    id: int
    tenant_id: int
    site_id: int | None
    site_name: str
    mac: str = Field(description="As people read it: 00:04:13:AA:BB:CC.")
    name: str
    profile: str
    model: str
    username: str = Field(description="Device configuration user name.")
    policy: str
    note: str
    user: DeviceUser | None
    is_primary: bool = Field(
        description="The one device of its user that queues ring; shown as * before the name."
    )
    is_hotdesk: bool = Field(
        description="Users log in on it; `user` is who is logged in, and null where who sits where is hidden."
    )
    place: str
    emergency_caller_id: str
    registration: RegistrationDocument
    firmware: str = Field(description="As the phone last said; empty for never.")
    agent: str
    seen_at: datetime | None
    seen_from: str
    served_at: datetime | None
    is_up_to_date: bool = Field(description="Whether the phone has fetched the newest configuration.")
    locked_until: datetime | None
    window_until: datetime | None
    created_at: datetime


class DevicePage(Page[DeviceDocument]):
    """Devices by name."""


class LineDocument(Document):
    position: int
    kind: str
    user_id: int | None
    account: str = Field(
        description="SIP user name; its password leaves the server in the phone's file only."
    )


class StepDocument(Document):
    text: str
    shows: str = Field(
        description="What `value` is: provisioning_url, username, password_hint, mac, ca_url; empty for a step without."
    )
    value: str = Field(
        description="What to type. Empty for the password, which is shown once, when it is made."
    )


class OnboardingDocument(Document):
    """What to enter in the phone, in its vendor's words and menu order."""

    url: str
    username: str
    steps: list[StepDocument]


class DeviceDetail(DeviceDocument):
    """A device with its lines and what to enter in the phone; null when its vendor profile is switched off."""

    lines: list[LineDocument]
    onboarding: OnboardingDocument | None
    warnings: list[str] = Field(description="What this model or vendor cannot do of what is set.")


class EnrolledDocument(Document):
    """The password is shown now and never again."""

    device: DeviceDetail
    password: str
    was_generated: bool
    warnings: list[str]


class ChangedDevice(Document):
    device: DeviceDetail
    warnings: list[str] = Field(description="For example that the address belongs to another vendor.")


class NewPassword(Document):
    """Shown now and never again."""

    password: str
    was_generated: bool


class FileDocument(Document):
    """`text` has asterisks where the phone gets a secret; `hash` (SHA-256) and `size` are those of the phone's own file."""

    id: str
    content_type: str
    text: str
    hash: str
    size: int
    problem: str = Field(description="Why this file cannot be made; empty when it can.")


class FilePage(Page[FileDocument]):
    """The files in the order the phone asks for them."""


class DeviceQuery(PageQuery):
    tenant_id: QueryId | None = None
    search: Annotated[
        Search,
        Field(
            description="Part of a name, MAC address (any spelling), model, note, user, extension or site."
        ),
    ] = ""
    state: Annotated[State | None, Field(description="Registration state.")] = None
    user_id: QueryId | None = None
    site_id: QueryId | None = None
    profile: Annotated[str, Field(max_length=60, pattern=r"^[^\x00-\x1f]*$")] = ""


class LanguageQuery(Query):
    language: Language = "en"


class RemovalQuery(Query):
    reason: Annotated[
        str, Field(max_length=200, pattern=r"^[^\x00-\x1f]*$", description="Stands in the audit log.")
    ] = ""


class NewDevice(Request):
    """A device to enrol, given to a user in the same step."""

    profile: Annotated[ProfileId, Field(examples=["generic"])]
    model: Annotated[ModelId, Field(examples=["Generic"])]
    mac: MacText
    name: Name = ""
    user_id: Id | None = None
    site_id: Id | None = None
    password: Password | None = None
    username: Annotated[
        Line | None, Field(description="Device configuration user name; left out, one is made.")
    ] = None
    policy: Policy = ""
    note: Note = ""


class DeviceChange(Change):
    """What to change of a device; `user_id` null takes it from its user."""

    place: Place = ""
    emergency_caller_id: EmergencyCallerId = ""
    profile: ProfileId = ""
    model: ModelId = ""
    mac: MacText = ""
    name: Name = ""
    user_id: Id | None = None
    site_id: Id | None = None
    policy: Policy = ""
    note: Note = ""


class PasswordChange(Request):
    password: Password | None = None
    at_once: Annotated[
        bool,
        Field(
            description="Refuse the old password from now on (a stolen phone); else it works until the phone has used the new one, or for a week."
        ),
    ] = False


class ClaimWindow(Request):
    minutes: Annotated[int, Field(ge=1, le=1440)] = 30
