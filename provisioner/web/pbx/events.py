"""Registration events as registrars send them: JSON in, values out; anything odd is named."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, NotRequired

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from provisioner.errors import BadInput
from provisioner.model.text import plain
from provisioner.services.registrations.ticks import Contact, RegistrationEvent

FUTURE = timedelta(minutes=5)
"""A registrar's clock may be ahead by so much; beyond that its word would outweigh all later ones."""

Epoch = Annotated[float, Field(ge=0, le=4_102_444_800, allow_inf_nan=False)]
"""Seconds since 1970; fractions are welcome, for they tell events of the same second apart."""
Text = Annotated[
    str, BeforeValidator(lambda value: plain(value, limit=1_000) if isinstance(value, str) else value)
]
"""What phones said, made harmless and cut: one strange User-Agent must not turn a whole batch away."""
Short = Annotated[str, Field(max_length=1_000)]
Kind = Literal["register", "refresh", "unregister", "expired", "auth-failed", "too-many-contacts"]
Cseq = Annotated[int, Field(ge=0, le=2**31)]


class BindingDocument(BaseModel):
    """One contact that is left after an event. `expires`: seconds since the epoch."""

    model_config = ConfigDict(extra="ignore")

    uri: Text
    expires: Epoch
    user_agent: Text = ""
    instance: Text = ""


class EventDocument(BaseModel):
    """One event; unknown members are ignored, so that registrars can say more."""

    model_config = ConfigDict(extra="ignore")

    event: Kind
    aor: Text
    contact: Text = ""
    user_agent: Text = ""
    source: Text = ""
    call_id: Text = ""
    cseq: Cseq = 0
    time: Epoch | None = None
    expires: Epoch | None = None
    bindings: Annotated[list[BindingDocument], Field(max_length=100)] | None = None


class UsualEvent(TypedDict):
    """An event about one contact as it nearly always comes; everything else takes the way of `EventDocument`."""

    __pydantic_config__ = ConfigDict(extra="ignore")  # type: ignore[misc]  # pydantic's place for it

    event: Kind
    aor: Short
    contact: NotRequired[Short]
    user_agent: NotRequired[Short]
    source: NotRequired[Short]
    call_id: NotRequired[Short]
    cseq: NotRequired[Cseq]
    time: NotRequired[Epoch]
    expires: NotRequired[Epoch]
    bindings: NotRequired[None]


class BatchDocument(BaseModel):
    events: Annotated[list[EventDocument], Field(max_length=10_000)]


class ListedContact(BaseModel):
    """One contact of a full state."""

    model_config = ConfigDict(extra="ignore")

    aor: Text
    contact: Text
    expires: Epoch
    user_agent: Text = ""
    instance: Text = ""
    call_id: Text = ""
    cseq: Cseq = 0


class SnapshotDocument(BaseModel):
    time: Epoch | None = None
    contacts: Annotated[list[ListedContact], Field(max_length=1_000_000)]


_EVENT: TypeAdapter[EventDocument] = TypeAdapter(EventDocument)
_USUAL: TypeAdapter[UsualEvent] = TypeAdapter(UsualEvent)
_BATCH: TypeAdapter[BatchDocument] = TypeAdapter(BatchDocument)
_SNAPSHOT: TypeAdapter[SnapshotDocument] = TypeAdapter(SnapshotDocument)


def read_events(body: object, *, tenant_id: int | None, now: datetime) -> Sequence[RegistrationEvent]:
    """One event object, or {"events": [...]}; BadInput names the first member that is wrong."""
    is_batch = isinstance(body, dict) and "events" in body
    documents = _parse(_BATCH, body).events if is_batch else [_parse(_EVENT, body)]
    return [_event(document, tenant_id=tenant_id, now=now) for document in documents]


def read_single(body: bytes, *, tenant_id: int | None, now: datetime) -> RegistrationEvent | None:
    """The usual body, one event that is right, read without a detour; None for everything else."""
    if not _is_harmless(body):
        return None
    try:
        said = _USUAL.validate_json(body)
    except ValidationError:
        return None
    return RegistrationEvent(
        said["event"],
        account_of(said["aor"]),
        _at(said["time"], now) if "time" in said else now,
        said.get("contact", ""),
        _moment(said["expires"]) if "expires" in said else None,
        said.get("user_agent", ""),
        said.get("source", ""),
        said.get("call_id", ""),
        said.get("cseq", 0),
        None,
        tenant_id,
    )


def _is_harmless(body: bytes) -> bool:
    """Whether no text in this JSON can hold a character that must be replaced: those are escaped, or not ASCII, or DEL."""
    return body.isascii() and b"\\" not in body and b"\x7f" not in body


def read_snapshot(body: object, *, now: datetime) -> tuple[datetime, Mapping[str, Sequence[Contact]]]:
    """A full state as (moment, account → contacts)."""
    document = _parse(_SNAPSHOT, body)
    contacts: defaultdict[str, list[Contact]] = defaultdict(list)
    for listed in document.contacts:
        contacts[account_of(listed.aor)].append(
            Contact(
                listed.contact,
                _moment(listed.expires),
                listed.user_agent,
                listed.instance,
                listed.call_id,
                listed.cseq,
            )
        )
    return _at(document.time, now), contacts


def account_of(aor: str) -> str:
    """The user part of an address of record, without scheme."""
    return aor.removeprefix("sips:").removeprefix("sip:").partition("@")[0]


def _event(document: EventDocument, *, tenant_id: int | None, now: datetime) -> RegistrationEvent:
    contacts = None
    if document.bindings is not None:
        contacts = tuple(
            Contact(one.uri, _moment(one.expires), one.user_agent, one.instance) for one in document.bindings
        )
    return RegistrationEvent(
        kind=document.event,
        account=account_of(document.aor),
        at=_at(document.time, now),
        contact=document.contact,
        expires_at=_moment(document.expires) if document.expires is not None else None,
        user_agent=document.user_agent,
        source=document.source,
        call_id=document.call_id,
        cseq=document.cseq,
        contacts=contacts,
        tenant_id=tenant_id,
    )


def _parse(adapter: TypeAdapter[Any], body: object) -> Any:
    try:
        return adapter.validate_python(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise BadInput(f"{where}: {first['msg']}", field=where) from None


def _at(epoch: float | None, now: datetime) -> datetime:
    moment = _moment(epoch) if epoch is not None else now
    return moment if moment <= now else min(moment, now + FUTURE)


def _moment(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)
