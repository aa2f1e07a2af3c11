"""The PBX door as a registrar uses it: accounts' HA1 and registration events over HTTP."""

import ssl
from typing import Any

import aiohttp

from provisioner.errors import Unavailable

PATIENCE = aiohttp.ClientTimeout(total=10)


class PbxDoor:
    """`base` is …/pbx/v1; every call may raise Unavailable, which never shows the token."""

    def __init__(
        self, session: aiohttp.ClientSession, base: str, *, token: str, tls: ssl.SSLContext | None = None
    ) -> None:
        self._session = session
        self._base = base.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._tls = tls

    async def ha1(self, user: str, realm: str) -> str | None:
        """The MD5 HA1 of an account; None when there is no such account."""
        try:
            async with self._session.get(
                f"{self._base}/ha1",
                params={"user": user, "realm": realm},
                headers=self._headers,
                timeout=PATIENCE,
                ssl=self._tls or True,
            ) as answer:
                if answer.status == 404:
                    return None
                if answer.status != 200:
                    raise Unavailable(f"The PBX door answers {answer.status} to a look-up.")
                return await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(f"The PBX door does not answer ({type(error).__name__}).") from None

    async def owns(self, account: str, address: str) -> bool:
        """Whether an account may register this address: its own, or that of a shared line it is a member of."""
        try:
            async with self._session.get(
                f"{self._base}/owner",
                params={"account": account, "address": address},
                headers=self._headers,
                timeout=PATIENCE,
                ssl=self._tls or True,
            ) as answer:
                if answer.status not in {204, 404}:
                    raise Unavailable(f"The PBX door answers {answer.status} to a question about an address.")
                return answer.status == 204
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(f"The PBX door does not answer ({type(error).__name__}).") from None

    async def tell(self, event: dict[str, Any]) -> None:
        """Report one registration event."""
        try:
            async with self._session.post(
                f"{self._base}/registrations",
                json=event,
                headers=self._headers,
                timeout=PATIENCE,
                ssl=self._tls or True,
            ) as answer:
                if answer.status != 200:
                    raise Unavailable(f"The PBX door answers {answer.status} to an event.")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(f"The PBX door does not answer ({type(error).__name__}).") from None
