"""Words for codes: states, roles, choices, actions. English here; each is also the message id of its translations."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from provisioner.access.reasons import Reason, sentence
from provisioner.model import RegistrationState
from provisioner.services.files.fetch_words import often
from provisioner.services.pbx.resync_state import Freshness
from provisioner.web.ui.translations import Language, message


@dataclass(frozen=True, slots=True)
class StateWord:
    """How a registration state looks: never by colour alone."""

    word: str
    icon: str
    colour: str


STATES: Final[Mapping[str, StateWord]] = {
    RegistrationState.REGISTERED: StateWord(message("Registered"), "circle-check", "green"),
    RegistrationState.NEVER: StateWord(message("Never registered"), "circle-dashed", "secondary"),
    RegistrationState.UNREGISTERED: StateWord(message("Signed off"), "circle-minus", "secondary"),
    RegistrationState.EXPIRED: StateWord(message("Expired"), "clock-x", "orange"),
    RegistrationState.FAILED: StateWord(message("Refused"), "circle-x", "red"),
}
FRESHNESS: Final[Mapping[str, StateWord]] = {
    Freshness.CURRENT: StateWord(message("up to date"), "circle-check", "green"),
    Freshness.ASKED: StateWord(message("told to fetch; waiting for the phone"), "refresh", "orange"),
    Freshness.NO_ANSWER: StateWord(message("the phone was told and did not come"), "circle-x", "red"),
    Freshness.NOT_REGISTERED: StateWord(
        message("older than the settings; the phone is not registered"), "circle-x", "red"
    ),
    Freshness.OUTDATED: StateWord(message("older than the settings"), "clock-x", "orange"),
    Freshness.NEVER: StateWord(message("never fetched"), "circle-dashed", "secondary"),
}
RESYNC_DETAILS: Final = (
    message("The phone is not registered, so it cannot be told."),
    message("The PBX is not connected, so the phone cannot be told."),
    message("The phone wants a SIP password before it takes such a message."),
    message("The phone takes no such messages."),
    message("The phone did not answer."),
    message("The PBX did not answer in time"),
    message("The PBX did not answer in time."),
    message("The PBX did not say what became of the message."),
    message("The phone is not registered over UDP: only its PBX can reach it."),
)
PBX_PROBLEMS: Final = (
    message("The PBX closed the connection."),
    message("There is no connection to the PBX: nobody listens at its address."),
    message("The PBX refuses this server: look at its list of peers and at the password."),
    message("What answers there is no JSON-RPC: look at the path of the address."),
    message("The PBX cannot send messages by itself: load its module tm."),
    message("The manager user may not send NOTIFY: give it write = system, and load res_pjsip_notify."),
    message("What answers there is no Asterisk manager interface."),
    message("The Asterisk manager gives no challenge to log in with."),
    message("The Asterisk manager refuses the user name or the password."),
    message("The event socket's access list refuses this server's address."),
    message("What answers there is no FreeSWITCH event socket."),
    message("The FreeSWITCH event socket refuses the password."),
    message("This server cannot open a port to speak SIP from."),
)
"""What a test of the connection says, and what stands at a phone that could not be told."""
PBX_KINDS: Final = {
    "kamailio": "Kamailio (JSON-RPC)",
    "asterisk": "Asterisk (AMI)",
    "freeswitch": "FreeSWITCH (event socket)",
    "direct": message("Straight to the phones"),
}
REGISTRATION_REASONS: Final = (
    message("the phone signed off"),
    message("the registration was not renewed in time"),
    message("the registrar refused the SIP password"),
    message("the registrar has no room for another contact of this account"),
    message("the registrar no longer lists it"),
    message("said by the phone"),
    message("the phone says its registration was refused"),
)
PARTS_OF_ERRORS: Final = (
    message("an upper-case letter"),
    message("a lower-case letter"),
    message("a digit"),
    message("a special character, such as - _ . ! *"),
    message(" Perhaps the letter O stands where a zero should."),
    message(" Perhaps a letter stands where a one should."),
    message("remove one of them first"),
    message("remove it first, or make the tenant premium to have up to nine"),
    message("is a property of the tenant"),
    message("something else"),
)
"""Values that the layers below put into the sentences of their errors."""
_ASKED_FROM: Final = " (asked from "
ROLES: Final = {
    "operator": message("Operator"),
    "admin": message("Admin"),
    "installer": message("Installer"),
    "user": message("User"),
    "pbx": message("PBX"),
}
KINDS: Final = {
    "person": message("Person"),
    "conference": message("Conference room"),
    "queue": message("Queue"),
    "service": message("Other service"),
}
SCOPES: Final = {
    "default": message("default"),
    "model": message("model"),
    "tenant": message("tenant"),
    "site": message("site"),
    "user": message("user"),
    "device": message("device"),
}
POLICIES: Final = {
    "password": message("User name and password"),
    "certificate": message("Client certificate"),
    "certificate-or-password": message("Certificate or password"),
    "token": message("Secret address (token)"),
    "office-network": message("Office network"),
}
CHOICES: Final = {
    "off": message("Off"),
    "on": message("On"),
    "optional": message("Optional"),
    "mandatory": message("Mandatory"),
    "https": message("Over HTTPS"),
    "udp": "UDP",
    "tcp": "TCP",
    "tls": "TLS",
    "rfc4733": "RFC 4733",
    "inband": message("As sound in the call"),
    "rfc4733_and_info": "RFC 4733 + SIP INFO",
    "from": "From",
    "pai": "PAI",
    "pai_from": "PAI, From",
    "rpid_pai_from": "RPID, PAI, From",
    "pai_rpid_from": "PAI, RPID, From",
    "en": message("English"),
    "nl": message("Dutch"),
    "de": message("German"),
    "pl": message("Polish"),
    "dmy": message("day, month, year"),
    "mdy": message("month, day, year"),
    "ymd": message("year, month, day"),
    "error": message("Error"),
    "warning": message("Warning"),
    "notice": message("Notice"),
    "info": message("Info"),
    "debug": message("Debug"),
}
CHOICES_AS_THEY_ARE: Final = frozenset({"tone_scheme", "codecs"})
"""Settings whose choices are codes everywhere (countries, codecs); "pl" is a country there, not a language."""
DONE: Final = {
    "saved": message("Saved."),
    "created": message("Created."),
    "removed": message("Removed."),
    "unlocked": message("Unlocked: the phone may try again at once."),
    "window": message("The claim window is open."),
    "password": message("The password was changed; log in with the new one."),
    "revoked": message("The token does not work any more."),
    "blocked": message("Blocked: every session of this login has ended."),
    "unblocked": message("Unblocked."),
    "told": message("The phone is told to fetch its configuration."),
    "hotdesk-on": message("Hotdesking is switched on."),
    "hotdesk-off": message("Hotdesking is switched off, and whoever was logged in is logged out."),
    "logged-in": message(
        "Logged in. The phone gets its new configuration when it fetches next: at once if the PBX can tell it."
    ),
    "logged-out": message(
        "Logged out. The phone gets its new configuration when it fetches next: at once if the PBX can tell it."
    ),
    "logout-later": message("A call is running on the phone: the user is logged out as soon as it ends."),
    "pin-unlocked": message("Wrong PINs are forgotten: logging in is possible at once."),
    "primary": message("This is the primary device now."),
}
"""What a page says at its top after an action, by the word in `?done=`."""


def state(code: str) -> StateWord:
    """The word, icon and colour of a registration state."""
    return STATES[code]


def choice(language: Language, setting: str, code: str) -> str:
    """A setting's choice for people."""
    if setting in CHOICES_AS_THEY_ARE:
        return code
    return language.translate(CHOICES[code]) if code in CHOICES else code


def shown(language: Language, setting: str, value: Any) -> str:
    """A setting's value for people; an empty one as a dash."""
    if isinstance(value, bool):
        code = "on" if value else "off"
        return language.translate(CHOICES[code])
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value) or "–"
    text = str(value) if value is not None else ""
    return choice(language, setting, text) if text else "–"


def reason(language: Language, text: str) -> str:
    """Why a registration ended, as it is stored: a sentence, and perhaps from where it was asked."""
    known, asked, source = text.removesuffix(")").partition(_ASKED_FROM)
    if not asked:
        return language.translate(text)
    asked_from = language.translate("asked from %(source)s") % {"source": source}
    return f"{language.translate(known)} ({asked_from})"


def why(language: Language, reason: str, detail: Mapping[str, Any], *, zone: ZoneInfo) -> str:
    """Why a phone got its file or not, in a sentence; an unknown code as it is."""
    try:
        known = Reason(reason)
    except ValueError:
        return reason
    filling = dict(detail)
    count, until = filling.get("count"), filling.get("until")
    if language.code == "nl" and isinstance(count, int):
        filling["nth"] = f"{count}e"
    if isinstance(until, float | int):
        filling["until"] = datetime.fromtimestamp(until, UTC).astimezone(zone).strftime("%H:%M:%S")
    return sentence(known, filling, translate=language.translate) + often(detail)
