"""The company that owns users and devices, and its places."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from provisioner.model.base import Base


class Tenant(Base):
    __tablename__ = "tenants"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    sip_domain: Mapped[str] = mapped_column(String(253))
    """Domain of the addresses of record and realm of their digests."""
    main_number: Mapped[str] = mapped_column(String(32), default="")
    is_premium: Mapped[bool] = mapped_column(default=False)
    policy: Mapped[str] = mapped_column(String(500), default="")
    """Credential policy; empty takes the server's."""
    networks: Mapped[list[str]] = mapped_column(default=list)
    """CIDRs of the tenant's offices, for the condition `network`."""
    password_minimum: Mapped[int] = mapped_column(default=6)
    """Length of device configuration passwords; never below 6 (R1.4)."""
    is_clear_text_allowed: Mapped[bool] = mapped_column(default=False)
    """Secrets may go over plain http to the tenant's networks; switched in writing, in the audit log."""
    watch_registrar: Mapped[str] = mapped_column(String(260), default="")
    """host[:port] of a registrar that sends no events and is watched by SUBSCRIBE instead (RFC 3680); empty: none."""
    is_seating_hidden: Mapped[bool] = mapped_column(default=False)
    """Nobody is shown who sits where (privacy); logins and logouts work as ever."""
    primary_grace: Mapped[int] = mapped_column(default=60)
    """Seconds for which a primary device that went still counts as registered."""
    number_plan: Mapped[str] = mapped_column(String(200), default="")
    """First digits and lengths of the internal numbers in use, such as `2:3 3:3 5:4`: what phones' dial plans are made of."""
    created_at: Mapped[datetime]


class Site(Base):
    __tablename__ = "sites"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    address: Mapped[str] = mapped_column(String(250), default="")
    emergency_caller_id: Mapped[str] = mapped_column(String(32), default="")
    policy: Mapped[str] = mapped_column(String(500), default="")
    networks: Mapped[list[str]] = mapped_column(default=list)
