import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.registrar.reg_event import Contact, ReginfoError, follow, parse_reginfo

AOR = "sip:1004@tenant1.test"


def document(*contacts: str, state: str = "full", version: int = 0, registration: str = "active") -> bytes:
    return (
        f'<?xml version="1.0"?>\n<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="{version}" state="{state}">'
        f'<registration aor="{AOR}" id="0x7f" state="{registration}">{"".join(contacts)}</registration></reginfo>'
    ).encode()


def contact(
    uri: str, *, event: str = "registered", state: str = "active", expires: int = 60, number: str = "0x1"
) -> str:
    return (
        f'<contact id="{number}" state="{state}" event="{event}" expires="{expires}" callid="c" cseq="11" '
        f'received="" path="" user_agent="snomD785/10.1.175.16"><uri>{uri}</uri></contact>'
    )


A, B = "sip:1004@192.0.2.51:5060", "sip:1004@192.0.2.52:5062;line=1"


def uris(contacts: tuple[Contact, ...], *, active: bool = True) -> list[str]:
    return [item.uri for item in contacts if item.is_active is active]


def test_two_full_documents_with_the_same_version_both_count() -> None:
    one = follow((), parse_reginfo(document(contact(A, event="created"))))
    two = follow(one, parse_reginfo(document(contact(A, number="0x9"), contact(B, event="created"))))
    assert uris(one) == [A]
    assert sorted(uris(two)) == sorted([A, B])
    assert two[0].user_agent == "snomD785/10.1.175.16"
    assert (two[0].expires_in, two[0].cseq, two[0].call_id) == (60, 11, "c")


def test_a_contact_that_is_missing_is_gone_and_is_told_once() -> None:
    before = follow((), parse_reginfo(document(contact(A), contact(B))))
    now = follow(before, parse_reginfo(document(contact(A))))
    assert uris(now) == [A]
    assert [(item.uri, item.event, item.expires_in) for item in now if not item.is_active] == [
        (B, "missing", 0)
    ]
    assert uris(follow(now, parse_reginfo(document(contact(A)))), active=False) == []


def test_a_terminated_registration_without_contacts_means_nobody() -> None:
    before = follow((), parse_reginfo(document(contact(A))))
    now = follow(before, parse_reginfo(document(registration="terminated")))
    assert uris(now) == []
    assert uris(now, active=False) == [A]


def test_an_unregistered_contact_says_why() -> None:
    before = follow((), parse_reginfo(document(contact(A))))
    now = follow(before, parse_reginfo(document(contact(A, state="terminated", event="unregistered"))))
    assert [(item.uri, item.event, item.is_active) for item in now] == [(A, "unregistered", False)]


def test_a_partial_document_changes_only_what_it_lists() -> None:
    before = follow((), parse_reginfo(document(contact(A), contact(B), version=1)))
    now = follow(
        before,
        parse_reginfo(document(contact(B, state="terminated", event="expired"), state="partial", version=7)),
    )
    assert uris(now) == [A]
    assert uris(now, active=False) == [B]


def test_prefixes_brackets_and_unknown_parameters_are_read() -> None:
    text = document(contact(f"&lt;{A}&gt;")).decode()
    text = text.replace("xmlns=", "xmlns:r=")
    for name in ("reginfo", "registration", "contact", "uri"):
        text = text.replace(f"<{name}", f"<r:{name}").replace(f"</{name}", f"</r:{name}")
    text = text.replace(' user_agent="snomD785/10.1.175.16"', "")
    text = text.replace("</r:uri>", '</r:uri><r:unknown-param name="user-agent"> X/1 </r:unknown-param>')
    (found,) = follow((), parse_reginfo(text.encode()))
    assert (found.uri, found.user_agent) == (A, "X/1")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no xml",
        b"<presence/>",
        b"<reginfo",
        b'<!DOCTYPE reginfo [<!ENTITY a "b">]><reginfo/>',
        b"<reginfo>" + b" " * 300_000 + b"</reginfo>",
        document(*[contact(f"sip:{number}@x") for number in range(1_001)]),
    ],
)
def test_what_is_no_registration_document_is_refused(body: bytes) -> None:
    with pytest.raises(ReginfoError):
        parse_reginfo(body)


def test_no_file_is_read_through_an_entity() -> None:
    body = document(contact("&x;")).replace(
        b"<reginfo", b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]><reginfo', 1
    )
    with pytest.raises(ReginfoError):
        parse_reginfo(body)


@given(st.binary(max_size=300), st.integers(0, 500))
def test_damaged_documents_are_read_or_refused(noise: bytes, place: int) -> None:
    body = document(contact(A))
    place = min(place, len(body))
    try:
        found = follow((), parse_reginfo(body[:place] + noise + body[place + len(noise) :]))
    except ReginfoError:
        return
    assert all(isinstance(item, Contact) for item in found)
