"""One physical phone or softphone, its lines and what was stored about its settings and keys."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, String, UniqueConstraint, text
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
    firmware: Mapped[str] = mapped_column(String(40), default="")
    note: Mapped[str] = mapped_column(String(500), default="")
    is_hotdesk: Mapped[bool] = mapped_column(default=False)
    """Users may log in on it (R3.1); its line 1 is of the kind hotdesk."""
    place: Mapped[str] = mapped_column(String(120), default="")
    """Floor and room, for emergency calls."""
    emergency_caller_id: Mapped[str] = mapped_column(String(32), default="")
    """Number shown on emergency calls; empty takes the site's."""
    created_at: Mapped[datetime]
    lines: Mapped[list["Line"]] = relationship(
        back_populates="device", order_by="Line.position", cascade="all, delete-orphan", lazy="raise"
    )


class Line(Base):
    """A position on a device; each has a SIP account of its own. Position 1 always exists: the device account."""

    __tablename__ = "lines"
    __table_args__ = (
        UniqueConstraint("device_id", "position"),
        # R3.2 held by the database: whoever commits second meets this, whatever the node
        Index(
            "uq_lines_hotdesk_user",
            "user_id",
            unique=True,
            sqlite_where=text("kind = 'hotdesk' AND user_id IS NOT NULL"),
            postgresql_where=text("kind = 'hotdesk' AND user_id IS NOT NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), index=True)
    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]
    account: Mapped[str] = mapped_column(String(64), unique=True)
    secret: Mapped[str] = mapped_column(String(300))
    """SIP password, sealed."""
    kind: Mapped[str] = mapped_column(String(10), default="empty")
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    shared_line_id: Mapped[int | None] = mapped_column(
        ForeignKey("shared_lines.id", ondelete="SET NULL"), index=True
    )
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
    target_user_id: Mapped[int | None] = mapped_column(
        ForeignKey("users.id", ondelete="SET NULL"), index=True
    )
    """The user whose extension (and name) the key follows; then `target` and an empty `label` are filled from it."""
    target_number_id: Mapped[int | None] = mapped_column(
        ForeignKey("internal_numbers.id", ondelete="SET NULL"), index=True
    )
    """The same for an internal number that is no user's: a group, a menu, a shared line …"""


class KeyRange(Base):
    """A run of slots that is filled by itself: one key for every colleague, sorted, as many as fit."""

    __tablename__ = "key_ranges"

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), index=True)
    scope: Mapped[str] = mapped_column(String(8))
    ref: Mapped[str] = mapped_column(String(81))
    people: Mapped[str] = mapped_column(String(12))
    """department (of the device's user) or everyone; the device's own user is always left out."""
    type: Mapped[str] = mapped_column(String(20))
    """Type of the keys made: blf, speed_dial, intercom …"""
    module: Mapped[int] = mapped_column(default=0)
    slot: Mapped[int]
    """The first slot; slots that have a key of their own are passed over."""
    count: Mapped[int] = mapped_column(default=0)
    """At most so many keys; 0: as many as the phone has room for, modules included."""
    line: Mapped[int] = mapped_column(default=1)


class Sighting(Base):
    """What a device's phone did last. A narrow row beside the wide one, for every fetch rewrites it."""

    __tablename__ = "sightings"

    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True)
    seen_at: Mapped[datetime]
    agent: Mapped[str] = mapped_column(String(200), default="")
    """The User-Agent it said last."""
    served_at: Mapped[datetime | None]
    """When a file last went out; what follows says which, and where to."""
    served_hash: Mapped[str] = mapped_column(String(64), default="")
    served_revision: Mapped[int] = mapped_column(default=0)
    seen_from: Mapped[str] = mapped_column(String(45), default="")


class Fetch(Base):
    """One request of a phone: what was served, or why not. Ids rise with time, so that the oldest are found without an index on it."""

    __tablename__ = "fetches"
    __table_args__ = (Index("ix_fetches_device_at", "device_id", "at"),)

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
