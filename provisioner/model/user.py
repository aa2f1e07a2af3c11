"""Destinations that can be called, and their numbers."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from provisioner.model.base import Base


class UserKind(StrEnum):
    PERSON = "person"
    CONFERENCE = "conference"
    QUEUE = "queue"
    SERVICE = "service"


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), index=True)
    site_id: Mapped[int | None] = mapped_column(ForeignKey("sites.id", ondelete="SET NULL"))
    name: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(12), default=UserKind.PERSON)
    email: Mapped[str] = mapped_column(String(254), default="")
    department: Mapped[str] = mapped_column(String(120), default="")
    is_hotdesk: Mapped[bool] = mapped_column(default=False)
    """May log in on hotdesk devices (R3.1)."""
    pin_hash: Mapped[str] = mapped_column(String(64), default="")
    """Keyed hash of the hotdesk PIN, hexadecimal; empty: none was given out."""
    primary_device_id: Mapped[int | None] = mapped_column(
        ForeignKey("devices.id", ondelete="SET NULL"), index=True
    )
    """The one device that queues ring (R4.4). One column, so that there can be only one."""
    is_primary_away: Mapped[bool] = mapped_column(default=False)
    """The PBX was told that the primary device is not registered."""
    created_at: Mapped[datetime]
    extension: Mapped["InternalNumber | None"] = relationship(
        back_populates="user", lazy="joined", cascade="all, delete-orphan"
    )


class InternalNumber(Base):
    """An extension and what it stands for; the table makes it unique in the tenant whatever that is.

    Exactly one of the targets is set: a user, a device account, a public number, an outside number, a shared line, a call
    group (or queue), an IVR menu.
    """

    __tablename__ = "internal_numbers"
    __table_args__ = (UniqueConstraint("tenant_id", "digits"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), index=True)
    digits: Mapped[str] = mapped_column(String(4))
    label: Mapped[str] = mapped_column(String(120), default="")
    """Shown for what has no name of its own, such as an outside number."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    device_id: Mapped[int | None] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"), index=True)
    public_number_id: Mapped[int | None] = mapped_column(
        ForeignKey("public_numbers.id", ondelete="CASCADE"), index=True
    )
    outside: Mapped[str] = mapped_column(String(32), default="")
    shared_line_id: Mapped[int | None] = mapped_column(
        ForeignKey("shared_lines.id", ondelete="CASCADE"), unique=True
    )
    group_id: Mapped[int | None] = mapped_column(ForeignKey("call_groups.id", ondelete="CASCADE"), index=True)
    menu_id: Mapped[int | None] = mapped_column(ForeignKey("menus.id", ondelete="CASCADE"), index=True)
    user: Mapped[User | None] = relationship(back_populates="extension")


class PublicNumber(Base):
    """A number of the tenant in the public network; it rings a user, a call group or a menu, or nobody yet."""

    __tablename__ = "public_numbers"

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), index=True)
    number: Mapped[str] = mapped_column(String(32), unique=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    group_id: Mapped[int | None] = mapped_column(
        ForeignKey("call_groups.id", ondelete="SET NULL"), index=True
    )
    menu_id: Mapped[int | None] = mapped_column(ForeignKey("menus.id", ondelete="SET NULL"), index=True)
