"""What the PBX directory knows besides users: shared lines, call groups, menus, schedules, and the feed of changes."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from provisioner.model.base import Base


class SharedLine(Base):
    """One number that appears on several devices (R6)."""

    __tablename__ = "shared_lines"
    __table_args__ = (UniqueConstraint("tenant_id", "name"), UniqueConstraint("tenant_id", "account"))

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    account: Mapped[str] = mapped_column(String(64))
    """User part of the shared address of record: the line's number, so that callers' To is the address that members watch.

    Each member line proves itself with its own account.
    """
    mode: Mapped[str] = mapped_column(String(8), default="sca")
    """sca, or blf where the registrar knows no shared call appearances."""
    appearances: Mapped[int] = mapped_column(default=2)
    is_barge_in: Mapped[bool] = mapped_column(default=False)
    is_barge_tone: Mapped[bool] = mapped_column(default=True)
    barge_tone_repeat: Mapped[int] = mapped_column(default=0)
    """Seconds between warning tones; 0: only once."""
    is_private_hold: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    members: Mapped[list["SharedLineMember"]] = relationship(
        order_by="SharedLineMember.position", cascade="all, delete-orphan", lazy="raise"
    )


class SharedLineMember(Base):
    """A device on which the shared line appears, through one of its lines."""

    __tablename__ = "shared_line_members"
    __table_args__ = (UniqueConstraint("shared_line_id", "device_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), index=True)
    shared_line_id: Mapped[int] = mapped_column(ForeignKey("shared_lines.id", ondelete="CASCADE"))
    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"), index=True)
    line_id: Mapped[int] = mapped_column(ForeignKey("lines.id", ondelete="CASCADE"), unique=True)
    position: Mapped[int]
    """Order in the line, from 1."""
    role: Mapped[str] = mapped_column(String(10), default="member")
    """member, boss or assistant: what the preset made of it."""


class CallGroup(Base):
    """Several users behind one number; as a queue it rings only their primary devices (R4.4, R7)."""

    __tablename__ = "call_groups"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    policy: Mapped[str] = mapped_column(String(12), default="simultaneous")
    """circular, fixed, simultaneous or uniform."""
    is_queue: Mapped[bool] = mapped_column(default=False)
    rings: Mapped[int] = mapped_column(default=4)
    """The next member after so many rings."""
    wait: Mapped[int] = mapped_column(default=0)
    """Seconds until the overflow; 0: never."""
    overflow: Mapped[str] = mapped_column(String(40), default="")
    """Extension or number that gets the call then."""
    members: Mapped[list["CallGroupMember"]] = relationship(
        order_by="CallGroupMember.position", cascade="all, delete-orphan", lazy="raise"
    )


class CallGroupMember(Base):
    __tablename__ = "call_group_members"
    __table_args__ = (UniqueConstraint("group_id", "user_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), index=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("call_groups.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]


class Menu(Base):
    """An IVR menu as data: the PBX plays it."""

    __tablename__ = "menus"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    greeting: Mapped[str] = mapped_column(String(120), default="")
    """Name of the announcement."""
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Digit → extension or number."""
    timeout: Mapped[int] = mapped_column(default=10)
    """Seconds without a digit."""
    fallback: Mapped[str] = mapped_column(String(40), default="")
    """Extension or number for no digit or a wrong one, after `tries`."""
    tries: Mapped[int] = mapped_column(default=3)


class Schedule(Base):
    """Hours or days that something holds, in the tenant's time zone."""

    __tablename__ = "schedules"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    weekly: Mapped[list[Any]] = mapped_column(default=list)
    """[{"days": [1…7], "from": "09:00", "to": "17:30"}], 1 is Monday."""
    dates: Mapped[list[Any]] = mapped_column(default=list)
    """[{"from": "2026-12-25", "to": "2026-12-26", "is_yearly": true, "name": "Christmas"}]"""


class DirectoryEvent(Base):
    """Something a PBX that keeps copies should look at again, or act on: in order, by id."""

    __tablename__ = "directory_events"
    __table_args__ = (
        Index("ix_directory_events_tenant_id_id", "tenant_id", "id"),
        Index("ix_directory_events_at", "at"),
    )

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(32))
    """changed, primary_changed, primary_unregistered, primary_registered, hotdesk_login, hotdesk_logout …"""
    object: Mapped[str] = mapped_column(String(120), default="")
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)


class PbxConnection(Base):
    """How this server talks back to the tenant's PBX: to make it send check-sync to phones."""

    __tablename__ = "pbx_connections"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    """kamailio, asterisk, freeswitch or direct."""
    address: Mapped[str] = mapped_column(String(260), default="")
    """URL or host:port."""
    username: Mapped[str] = mapped_column(String(80), default="")
    secret: Mapped[str] = mapped_column(String(300), default="")
    """Sealed."""


class Resync(Base):
    """A phone that should fetch again: asked through the PBX until the fetch is seen or patience ends."""

    __tablename__ = "resyncs"

    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), index=True)
    why: Mapped[str] = mapped_column(String(40))
    asked_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(default=0)
    """The fetch of this revision or a newer one is the success."""
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime | None] = mapped_column(index=True)
    """None: nothing more to do."""
    result: Mapped[str] = mapped_column(String(16), default="waiting")
    """waiting, sent, fetched, gave-up."""
    detail: Mapped[str] = mapped_column(String(200), default="")
