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
    created_at: Mapped[datetime]
    extension: Mapped["InternalNumber | None"] = relationship(
        back_populates="user", lazy="joined", cascade="all, delete-orphan"
    )


class InternalNumber(Base):
    """An extension and what it stands for; the table makes it unique in the tenant whatever that is."""

    __tablename__ = "internal_numbers"
    __table_args__ = (UniqueConstraint("tenant_id", "digits"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), index=True)
    digits: Mapped[str] = mapped_column(String(4))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    user: Mapped[User | None] = relationship(back_populates="extension")


class PublicNumber(Base):
    __tablename__ = "public_numbers"

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), index=True)
    number: Mapped[str] = mapped_column(String(32), unique=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
