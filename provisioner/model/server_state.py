"""Facts of this installation, and the counters that put changes in order."""

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from provisioner.model.base import Base


class ServerFact(Base):
    """`realm` of the phone door, `key_check` that proves the key ring, `demo` when sample data was made."""

    __tablename__ = "server_facts"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(String(400))


class Counter(Base):
    """`configuration` and `registrations`, each raised in every transaction that changes what it stands for.

    Raising it also puts those transactions in one order: whoever has seen value n has seen everything up to n.
    """

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger, default=0)
