"""Registration documents (`application/reginfo+xml`, RFC 3680 §5) and what follows from a series of them.

Read as notifiers really write: versions may stand still, ids change between documents, attributes of their own appear.
So every full document counts, contacts are told apart by their URI, and what is missing in a full document is gone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from lxml import etree

from provisioner.errors import BadInput

MAX_DOCUMENT = 262_144  # bytes
MAX_CONTACTS = 1_000


class ReginfoError(BadInput):
    """The body of a NOTIFY is no registration document."""

    title = "This is not a usable registration document"


@dataclass(frozen=True, slots=True)
class Contact:
    """One phone at one address-of-record. `expires_in`: seconds, None when not said, 0 when it is gone.

    `event` as in RFC 3680 §5.1 (registered, created, refreshed, shortened, expired, deactivated, probation,
    unregistered, rejected), or "missing" for a contact that a full document no longer lists.
    """

    uri: str
    expires_in: int | None
    user_agent: str
    event: str
    is_active: bool = True
    call_id: str = ""
    cseq: int | None = None


@dataclass(frozen=True, slots=True)
class Reginfo:
    """A document: contacts by address-of-record (as in the document, e.g. `sip:101@pbx.example.net`)."""

    is_full: bool
    contacts: dict[str, tuple[Contact, ...]]


def parse_reginfo(body: bytes) -> Reginfo:
    """Read one document; raises ReginfoError. No entity is expanded and nothing is fetched."""
    if len(body) > MAX_DOCUMENT:
        raise ReginfoError("The registration document is too long")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ReginfoError("The registration document is not well-formed XML") from error
    if root.getroottree().docinfo.doctype or _name(root) != "reginfo":
        raise ReginfoError("The document is not a reginfo document")
    contacts: dict[str, tuple[Contact, ...]] = {}
    for registration in _children(root, "registration"):
        aor = registration.get("aor", "")
        found = tuple(_contact(element) for element in _children(registration, "contact"))
        contacts[aor] = contacts.get(aor, ()) + tuple(contact for contact in found if contact.uri)
    if sum(map(len, contacts.values())) > MAX_CONTACTS:
        raise ReginfoError("The registration document lists too many contacts")
    return Reginfo(is_full=root.get("state", "full") != "partial", contacts=contacts)


def follow(before: Iterable[Contact], document: Reginfo) -> tuple[Contact, ...]:
    """The contacts after `document`: the active ones, then those that went with this document and why.

    `before` is the previous answer of this function. All registrations of the document count: a subscription is for
    one address-of-record, which notifiers spell in different ways.
    """
    was = {contact.uri: contact for contact in before if contact.is_active}
    listed = {contact.uri: contact for group in document.contacts.values() for contact in group}
    missing = {uri: contact for uri, contact in was.items() if uri not in listed}
    now = {uri: contact for uri, contact in listed.items() if contact.is_active}
    if not document.is_full:
        now = missing | now
        missing = {}
    ended = [contact for contact in listed.values() if not contact.is_active]
    ended += [
        replace(contact, is_active=False, event="missing", expires_in=0) for contact in missing.values()
    ]
    return (*now.values(), *ended)


def _contact(element: etree._Element) -> Contact:
    is_active = element.get("state", "active") == "active"
    uri = next((child.text or "" for child in _children(element, "uri")), "")
    return Contact(
        uri=uri.strip().strip("<>"),
        expires_in=_seconds(element.get("expires")) if is_active else 0,
        user_agent=element.get("user_agent") or _unknown_param(element, "user-agent"),
        event=element.get("event", ""),
        is_active=is_active,
        call_id=element.get("callid", ""),
        cseq=_seconds(element.get("cseq")),
    )


def _unknown_param(element: etree._Element, name: str) -> str:
    found = (child.text or "" for child in _children(element, "unknown-param") if child.get("name") == name)
    return next(found, "").strip()


def _seconds(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 10 else None


def _name(element: etree._Element) -> str:
    return etree.QName(element).localname


def _children(parent: etree._Element, name: str) -> list[etree._Element]:
    return [child for child in parent if isinstance(child.tag, str) and _name(child) == name]
