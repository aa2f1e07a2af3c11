"""Whether a device account is registered at the registrar now: the green tick."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from provisioner.model.base import Base


class RegistrationState(StrEnum):
    NEVER = "never"
    REGISTERED = "registered"
    UNREGISTERED = "unregistered"
    EXPIRED = "expired"
    FAILED = "failed"


class Registration(Base):
    """The newest truth about one line's account."""

    __tablename__ = "registrations"

    line_id: Mapped[int] = mapped_column(ForeignKey("lines.id", ondelete="CASCADE"), primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), index=True)
    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(String(12))
    since: Mapped[datetime]
    until: Mapped[datetime | None]
    """When the newest binding ends by itself; only while registered."""
    reason: Mapped[str] = mapped_column(String(200), default="")
    source: Mapped[str] = mapped_column(String(10), default="registrar")
    """Who said so: the registrar, or only the phone itself (a hint)."""
    seq: Mapped[int] = mapped_column(BigInteger, default=0, index=True)


class Binding(Base):
    """The newest word of one call about one contact of an account (see services/registrations/truth.py)."""

    __tablename__ = "bindings"
    __table_args__ = (UniqueConstraint("line_id", "contact", "call_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    line_id: Mapped[int] = mapped_column(ForeignKey("lines.id", ondelete="CASCADE"), index=True)
    contact: Mapped[str] = mapped_column(String(255))
    call_id: Mapped[str] = mapped_column(String(200), default="")
    cseq: Mapped[int] = mapped_column(BigInteger, default=0)
    user_agent: Mapped[str] = mapped_column(String(200), default="")
    source: Mapped[str] = mapped_column(String(80), default="")
    instance: Mapped[str] = mapped_column(String(120), default="")
    expires_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    """The registrar's own time of the event."""
    is_live: Mapped[bool] = mapped_column(default=True)
    """False: gone; kept a while so that a late, older event cannot bring it back."""
    ending: Mapped[str] = mapped_column(String(20), default="")
    """Why it went; empty while it lives."""
