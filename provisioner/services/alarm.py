"""A task that does what is due and then sleeps until something else will be, instead of asking from poll to poll."""

import asyncio
from abc import ABC, abstractmethod
from typing import ClassVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from provisioner.errors import ProvisionerError
from provisioner.services.context import Context

log = structlog.get_logger()


class Alarm(ABC):
    """A restart begins with what is stored; several nodes may run one each."""

    trouble: ClassVar[str]
    """What cannot be done while the database does not answer, for the log."""
    retry: ClassVar[float]
    """Seconds until it is tried again then."""
    settling: ClassVar[float] = 0.0
    """Seconds in which further calls to `wake` count as one."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look again: something may be due sooner than what is waited for."""
        self._woken.set()

    async def run(self) -> None:
        while True:
            try:
                await self._act()
                wait = await self._seconds_to_next()
            except (SQLAlchemyError, ProvisionerError, OSError) as error:
                log.warning(self.trouble, error=type(error).__name__)
                wait = self.retry
            try:
                async with asyncio.timeout(wait):
                    await self._woken.wait()
            except TimeoutError:
                continue
            if self.settling:
                await asyncio.sleep(self.settling)
            self._woken.clear()

    @abstractmethod
    async def _act(self) -> None: ...

    @abstractmethod
    async def _seconds_to_next(self) -> float: ...
