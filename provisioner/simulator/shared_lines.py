"""A shared line on a virtual phone: it watches the appearances, seizes one, calls on it, and takes over what others hold.

What is shared, as whom to prove oneself and how many appearances have a key is read from the phone's files alone.
"""

import asyncio
import contextlib
from collections.abc import Sequence

from provisioner.errors import ProvisionerError, Unavailable
from provisioner.registrar.agent import Address, SipAgent, resolve
from provisioner.registrar.sip import Request, Response, parse_uri, reply, sip_uri
from provisioner.simulator.call import (
    Call,
    Dialog,
    Leg,
    dialog_of,
    open_call,
    session_description,
    subscribe,
)
from provisioner.simulator.call_info import Lamp, call_info, granted, lamps
from provisioner.simulator.reader import FunctionKey, LineSettings

WATCH_SECONDS = 300
SEIZE_SECONDS = 15
"""A seizure that no call follows ends by itself after so long."""
PATIENCE = 5.0
"""Seconds until the NOTIFY that grants a seizure must be there."""


def appearances(line: LineSettings, keys: Sequence[FunctionKey], key_type: str) -> int:
    """How many keys of the phone show this line: as many of its calls can be told apart; at least one."""
    return max(1, sum(key.type == key_type and key.line == str(line.slot) for key in keys))


class SharedLine:
    """One shared line of one phone, from `start` to `stop`. `lamps` is what its keys show."""

    def __init__(self, agent: SipAgent, line: LineSettings, *, count: int, retry: float) -> None:
        self.line = line
        self.lamps: tuple[Lamp, ...] = (Lamp.IDLE,) * count
        self.history: list[tuple[Lamp, ...]] = []
        """Every change of the lamps, oldest first; at most a thousand."""
        self.is_watching = False
        self.calls: dict[int, Call] = {}
        """Appearance → this phone's own call on it."""
        self.ringing: dict[str, asyncio.Future[int]] = {}
        """Call-ID of a call that comes in → the appearance it is answered on, 0 when the caller gave up."""
        self._agent = agent
        self._retry = retry
        self._watch: Dialog | None = None
        self._seizures: dict[str, asyncio.Future[int]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._keep_watching())

    async def stop(self) -> None:
        """Hang up and stop watching. May be called twice."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        with contextlib.suppress(ProvisionerError, TimeoutError):
            async with asyncio.timeout(2.0):
                for index in tuple(self.calls):
                    await self.hang_up(index)
                if self.is_watching and self._watch is not None:
                    await subscribe(await self._leg(), self._watch, "call-info", 0)
        self.is_watching = False

    async def seize(self, index: int = 0) -> int:
        """Lift the handset: take appearance `index`, or the first idle one; gives back the one granted.

        Unavailable when all are in use or nothing is granted, CallRefused when the registrar refuses.
        """
        wanted = index or next((n for n, lamp in enumerate(self.lamps, 1) if lamp is Lamp.IDLE), 0)
        if not wanted:
            raise Unavailable("Every appearance of the line is in use")
        leg = await self._leg()
        dialog = Dialog(leg.address)
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._seizures[dialog.call_id] = answer
        try:
            said = (("Call-Info", call_info(leg.domain, wanted)),)
            await subscribe(leg, dialog, "line-seize", SEIZE_SECONDS, headers=said)
            async with asyncio.timeout(PATIENCE):
                return await answer
        except TimeoutError:
            raise Unavailable("The registrar did not grant the appearance") from None
        finally:
            self._seizures.pop(dialog.call_id, None)

    async def call(self, number: str, *, index: int = 0) -> int:
        """Call `number` on a seized appearance (one is seized when `index` is 0); gives back the appearance."""
        index = index or await self.seize()
        leg = await self._leg()
        said = (("Call-Info", call_info(leg.domain, index)),)
        self.calls[index] = await open_call(leg, sip_uri(number, leg.domain), headers=said)
        return index

    def answer(self) -> int:
        """Take the call that has been ringing longest, on the first appearance that is not in use; gives it back."""
        waiting = next((future for future in self.ringing.values() if not future.done()), None)
        index = next((n for n, lamp in enumerate(self.lamps, 1) if lamp in {Lamp.IDLE, Lamp.ALERTING}), 0)
        if waiting is None or not index:
            raise Unavailable("No call rings, or every appearance of the line is in use")
        waiting.set_result(index)
        return index

    async def hold(self, index: int, *, is_private: bool = False) -> None:
        """Put the own call on hold, so that every member can take it, or (private) this phone alone."""
        state = Lamp.HELD_PRIVATE if is_private else None
        await self._own(index).hold(headers=self._about(index, state))

    async def retrieve(self, index: int) -> None:
        """Go on with a held call: the own one, or another member's, which becomes this phone's."""
        if index in self.calls:
            await self.calls[index].resume(headers=self._about(index))
            return
        leg = await self._leg()
        # a call from the line to itself with the index of a held appearance: the registrar leads it to the other party
        self.calls[index] = await open_call(leg, leg.address, headers=self._about(index))

    async def hang_up(self, index: int) -> None:
        call = self._own(index)
        del self.calls[index]
        await call.hang_up(headers=self._about(index))

    def hear(self, request: Request, *, event: str, tag: str) -> Response | None:
        """The answer to a request that concerns this line; None when it is another's."""
        if request.method == "NOTIFY" and self._hear_notify(request, event):
            return reply(request, 200, "OK", to_tag=tag)
        if request.method == "BYE":
            for index, call in self.calls.items():
                if call.call_id == request.call_id:
                    call.is_over = True
                    del self.calls[index]
                    return reply(request, 200, "OK", to_tag=tag)
        return None

    async def ring(self, request: Request, source: Address, *, tag: str) -> Response | None:
        """The answer to an INVITE for this line, which rings until `answer` or a CANCEL; None when it is another's."""
        if request.method == "CANCEL":
            return self._give_up(request, tag)
        if request.method != "INVITE" or parse_uri(request.uri).user != self.line.user:
            return None
        leg = await self._leg()
        described = (("Contact", leg.contact), ("Content-Type", "application/sdp"))
        body = session_description(leg, "sendrecv")
        if any(call.call_id == request.call_id for call in self.calls.values()):
            return reply(request, 200, "OK", headers=described, body=body)
        self._agent.announce(reply(request, 180, "Ringing", to_tag=tag), source)
        index = await self._until_answered(request.call_id)
        if not index:
            return reply(request, 487, "Request Terminated", to_tag=tag)
        self.calls[index] = Call(leg, dialog_of(request, tag))
        return reply(request, 200, "OK", to_tag=tag, headers=(*described, *self._about(index)), body=body)

    async def _until_answered(self, call_id: str) -> int:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.ringing[call_id] = future
        try:
            return await future
        finally:
            del self.ringing[call_id]

    def _give_up(self, request: Request, tag: str) -> Response | None:
        future = self.ringing.get(request.call_id)
        if future is None:
            return None
        if not future.done():
            future.set_result(0)
        return reply(request, 200, "OK", to_tag=tag)

    def _hear_notify(self, request: Request, event: str) -> bool:
        if event == "line-seize" and request.call_id in self._seizures:
            answer, index = self._seizures[request.call_id], granted(request.values("Call-Info"))
            if index and not answer.done():
                answer.set_result(index)
            return True
        if event == "call-info" and self._watch is not None and request.call_id == self._watch.call_id:
            told = lamps(request.values("Call-Info"), len(self.lamps))
            if told != self.lamps:
                self.lamps = told
                self.history = [*self.history[-999:], told]
            return True
        # the end of a seizure is told after its call began
        return event == "line-seize"

    def _own(self, index: int) -> Call:
        if index not in self.calls:
            raise Unavailable("This phone has no call on that appearance")
        return self.calls[index]

    def _about(self, index: int, state: Lamp | None = None) -> tuple[tuple[str, str], ...]:
        domain = self.line.domain or self.line.host
        return (("Call-Info", call_info(domain, index, state)),)

    async def _leg(self) -> Leg:
        return Leg(self._agent, self.line, await resolve(self.line.host, self.line.port))

    async def _keep_watching(self) -> None:
        while True:
            try:
                leg = await self._leg()
                self._watch = self._watch or Dialog(leg.address)
                seconds = await subscribe(leg, self._watch, "call-info", WATCH_SECONDS)
                self.is_watching = True
                pause = max(1.0, 0.8 * seconds)
            except ProvisionerError:
                # begun anew: the registrar may have forgotten this subscription
                self.is_watching, self._watch = False, None
                pause = self._retry
            await asyncio.sleep(pause)
