"""Hotdesking: who sits where, since when; dialogues with a PBX, wrong PINs, calls that must not be cut."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from provisioner.model.base import Base

_OPEN = text("ended_at IS NULL")


class HotdeskSession(Base):
    """One user on one device from login to logout. The open one is what the device's line says too."""

    __tablename__ = "hotdesk_sessions"
    __table_args__ = (
        Index(
            "uq_hotdesk_sessions_open_user",
            "user_id",
            unique=True,
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        ),
        Index(
            "uq_hotdesk_sessions_open_device",
            "device_id",
            unique=True,
            sqlite_where=_OPEN,
            postgresql_where=_OPEN,
        ),
        Index("ix_hotdesk_sessions_tenant_started", "tenant_id", "started_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"))
    origin: Mapped[str] = mapped_column(String(12))
    """Where the login came from: code, screen, admin or api."""
    started_at: Mapped[datetime]
    ends_at: Mapped[datetime | None] = mapped_column(index=True)
    """When the user is logged out by itself; none: never."""
    ended_at: Mapped[datetime | None]
    ending: Mapped[str] = mapped_column(String(16), default="")
    """Why it ended: logout, elsewhere, switched, admin, time, removed."""


class HotdeskDialog(Base):
    """A dialogue of a PBX under way: what was asked last, so that a repeated step gets the same answer. Never a PIN."""

    __tablename__ = "hotdesk_dialogs"
    __table_args__ = (UniqueConstraint("tenant_id", "call_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    device_id: Mapped[int | None] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"))
    call_id: Mapped[str] = mapped_column(String(200))
    session: Mapped[str] = mapped_column(String(48), unique=True)
    step: Mapped[int] = mapped_column(default=0)
    state: Mapped[dict[str, Any]] = mapped_column(default=dict)
    answer: Mapped[dict[str, Any]] = mapped_column(default=dict)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class PinFailure(Base):
    """One wrong PIN; counted per user and per device for a while."""

    __tablename__ = "pin_failures"
    __table_args__ = (
        Index("ix_pin_failures_user_at", "user_id", "at"),
        Index("ix_pin_failures_device_at", "device_id", "at"),
        Index("ix_pin_failures_subject_at", "subject", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    device_id: Mapped[int | None] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"))
    subject: Mapped[str] = mapped_column(String(32), default="")
    """Keyed hash of the extension that was given, whether somebody has it or not."""
    at: Mapped[datetime]


class RunningCall(Base):
    """A call that the PBX says is running on a device: no logout by itself and no check-sync meanwhile."""

    __tablename__ = "running_calls"
    __table_args__ = (UniqueConstraint("device_id", "call_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), index=True)
    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"))
    call_id: Mapped[str] = mapped_column(String(200))
    since: Mapped[datetime]
    until: Mapped[datetime]
    """When it is forgotten though the PBX never said that it ended."""
    is_emergency: Mapped[bool] = mapped_column(default=False)
