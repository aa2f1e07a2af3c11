"""Words for function keys: types, scopes, what a target has to be. English here; each is also the message id of its translations."""

from collections.abc import Mapping
from typing import Final

from provisioner.services.keys.placed_keys import Capability
from provisioner.web.ui.translations import message

TYPES: Final[Mapping[str, str]] = {
    "none": message("Nothing"),
    "line": message("Line"),
    "shared_line": message("Shared line"),
    "speed_dial": message("Speed dial"),
    "blf": message("Busy lamp"),
    "pickup": message("Pick up a colleague's call"),
    "group_pickup": message("Pick up any call"),
    "park": message("Park"),
    "retrieve": message("Take back from park"),
    "voicemail": message("Voicemail"),
    "dnd": message("Do not disturb"),
    "forward_always": message("Forward always"),
    "forward_busy": message("Forward when busy"),
    "forward_no_answer": message("Forward when not answered"),
    "intercom": message("Intercom"),
    "dtmf": message("Tones in a call"),
    "prefix": message("Prefix"),
    "transfer_blind": message("Transfer at once"),
    "transfer_attended": message("Transfer after asking"),
    "conference": message("Conference"),
    "hold": message("Hold"),
    "redial": message("Redial"),
    "directory": message("Phone book"),
    "url": message("Open a web address"),
    "xml": message("Page on the phone's screen"),
    "hotdesk": message("Hotdesk: log in or out"),
    "hotdesk_switch": message("Hotdesk: change to a user"),
    "multicast": message("Paging to a group address"),
    "record": message("Record"),
}
SCOPES: Final[Mapping[str, str]] = {
    "default": message("the phone itself"),
    "model": message("the model"),
    "tenant": message("the tenant"),
    "site": message("the site"),
    "user": message("the user"),
    "device": message("the device"),
}
PEOPLE: Final[Mapping[str, str]] = {
    "department": message("My department"),
    "everyone": message("Everyone but me"),
}
CAPABILITIES: Final[Mapping[str, str]] = {
    Capability.OK: message("works"),
    Capability.UNSUPPORTED: message("this phone cannot show it"),
    Capability.NO_SLOT: message("this phone has no such key"),
    Capability.NO_TARGET: message("there is nothing to dial"),
}
IN_ERRORS: Final = (
    message("the phone"),
    message("a number, an extension or a SIP address"),
    message("an extension of 2 to 4 digits"),
    message("the tones to send: digits, *, #, A to D"),
    message("the digits to put in front"),
    message("an address that starts with https:// or http:// and holds no password"),
    message("a multicast address and port such as 239.255.0.1:5000 (224.0.0.0 to 239.255.255.255)"),
    message("nothing, or the word private for a call that others cannot take over"),
)
"""Values that the layers below put into the sentences of their errors."""
