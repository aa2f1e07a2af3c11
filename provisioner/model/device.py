"""One physical phone or softphone, its lines and what was stored about its settings and keys."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from provisioner.model.base import Base


class Device(Base):
    __tablename__ = "devices"

    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(String(32), unique=True)
    """Random and never used again: what the revocation list names."""
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), index=True)
    site_id: Mapped[int | None] = mapped_column(ForeignKey("sites.id", ondelete="SET NULL"), index=True)
    mac: Mapped[str] = mapped_column(String(12), unique=True)
    name: Mapped[str] = mapped_column(String(80))
    profile: Mapped[str] = mapped_column(String(40))
    model: Mapped[str] = mapped_column(String(40))
    username: Mapped[str] = mapped_column(String(40), unique=True)
    """Device configuration user name."""
    password: Mapped[str] = mapped_column(String(300))
    """Device configuration password, sealed."""
    previous_password: Mapped[str] = mapped_column(String(300), default="")
    """Sealed; accepted until the phone has used the new one or `previous_until` is over."""
    previous_until: Mapped[datetime | None]
    policy: Mapped[str] = mapped_column(String(500), default="")
    token: Mapped[str] = mapped_column(String(300))
    """Sealed path token of this device: /p/t/<token>/…"""
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    action_token: Mapped[str] = mapped_column(String(300))
    """Sealed path token of the action URLs: /a/<token>/…"""
    action_hash: Mapped[str] = mapped_column(String(64), unique=True)
    admin_password: Mapped[str] = mapped_column(String(300))
    """Sealed random admin password of the phone itself."""
    admin_pin: Mapped[str] = mapped_column(String(300))
    window_until: Mapped[datetime | None]
    """An admin opened a claim window until then (condition `window`)."""
    window_address: Mapped[str] = mapped_column(String(45), default="")
    """Who claimed the device through the window; empty before."""
    revision: Mapped[int] = mapped_column(default=1)
    changed_seq: Mapped[int] = mapped_column(BigInteger, default=0, index=True)
    locked_until: Mapped[datetime | None]
    agent: Mapped[str] = mapped_column(String(200), default="")
    firmware: Mapped[str] = mapped_column(String(40), default="")
    seen_at: Mapped[datetime | None]
    seen_from: Mapped[str] = mapped_column(String(45), default="")
    served_at: Mapped[datetime | None]
    served_hash: Mapped[str] = mapped_column(String(64), default="")
    served_revision: Mapped[int] = mapped_column(default=0)
    note: Mapped[str] = mapped_column(String(500), default="")
    created_at: Mapped[datetime]
    lines: Mapped[list["Line"]] = relationship(
        back_populates="device", order_by="Line.position", cascade="all, delete-orphan", lazy="raise"
    )


class Line(Base):
    """A position on a device; each has a SIP account of its own. Position 1 always exists: the device account."""

    __tablename__ = "lines"
    __table_args__ = (UniqueConstraint("device_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), index=True)
    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]
    account: Mapped[str] = mapped_column(String(64), unique=True)
    secret: Mapped[str] = mapped_column(String(300))
    """SIP password, sealed."""
    kind: Mapped[str] = mapped_column(String(10), default="empty")
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    device: Mapped[Device] = relationship(back_populates="lines", lazy="raise")


class SettingValue(Base):
    """A setting set at one scope. `value` null in JSON is "unset here": back to the default."""

    __tablename__ = "setting_values"
    __table_args__ = (UniqueConstraint("tenant_id", "scope", "ref", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    scope: Mapped[str] = mapped_column(String(8))
    ref: Mapped[str] = mapped_column(String(81))
    """Site, user or device id; profile/model for the scope model; empty for the tenant."""
    name: Mapped[str] = mapped_column(String(60))
    value: Mapped[Any] = mapped_column(JSON(none_as_null=False))


class FunctionKey(Base):
    """A function key defined at one scope; composition merges them slot by slot."""

    __tablename__ = "function_keys"
    __table_args__ = (UniqueConstraint("tenant_id", "scope", "ref", "module", "slot"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    scope: Mapped[str] = mapped_column(String(8))
    ref: Mapped[str] = mapped_column(String(81))
    module: Mapped[int] = mapped_column(default=0)
    slot: Mapped[int]
    type: Mapped[str] = mapped_column(String(20))
    target: Mapped[str] = mapped_column(String(200), default="")
    label: Mapped[str] = mapped_column(String(99), default="")
    line: Mapped[int] = mapped_column(default=1)


class Fetch(Base):
    """One request of a phone: what was served, or why not."""

    __tablename__ = "fetches"
    __table_args__ = (Index("ix_fetches_device_at", "device_id", "at"), Index("ix_fetches_at", "at"))

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    tenant_id: Mapped[int | None] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"))
    device_id: Mapped[int | None] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"))
    mac: Mapped[str] = mapped_column(String(12), default="")
    at: Mapped[datetime]
    source: Mapped[str] = mapped_column(String(45))
    method: Mapped[str] = mapped_column(String(8))
    path: Mapped[str] = mapped_column(String(200))
    agent: Mapped[str] = mapped_column(String(200), default="")
    status: Mapped[int]
    reason: Mapped[str] = mapped_column(String(40))
    """Machine-readable; the sentence for people is made from it and `detail`."""
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    hash: Mapped[str] = mapped_column(String(64), default="")
