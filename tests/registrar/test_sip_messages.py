import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.registrar.sip import (
    MAX_HEADERS,
    Request,
    Response,
    SipParseError,
    parse,
    parse_name_addr,
    parse_params,
    parse_uri,
    parse_via,
    reply,
    sip_uri,
    split_outside,
)

NOTIFY = (
    b"NOTIFY sip:prov@192.0.2.10:5060 SIP/2.0\r\n"
    b"v: SIP/2.0/UDP 192.0.2.5;branch=z9hG4bKa;rport, SIP/2.0/UDP 192.0.2.6;branch=z9hG4bKb\r\n"
    b'f: "A, <B>; C" <sip:101@pbx.example.net>;tag=n1\r\n'
    b"T: <sip:prov@pbx.example.net>;tag=p1\r\n"
    b"I: c-1\r\n"
    b"CSEQ:  7   NOTIFY\r\n"
    b"o: reg\r\n"
    b"Subject: one\r\n  two\r\n"
    b"l: 4\r\n"
    b"\r\n"
    b"bodytrailing"
)


def test_compact_and_oddly_cased_headers_are_found_by_their_names() -> None:
    message = parse(NOTIFY)
    assert isinstance(message, Request)
    assert (message.method, message.uri) == ("NOTIFY", "sip:prov@192.0.2.10:5060")
    assert (message.call_id, message.cseq, message.cseq_method) == ("c-1", 7, "NOTIFY")
    assert message.get("event") == "reg"
    assert message.branch == "z9hG4bKa"
    assert len(message.values("via")) == 2
    assert message.get("subject") == "one two"
    assert parse_name_addr(message.get("From") or "").params == {"tag": "n1"}


def test_the_body_ends_where_content_length_says() -> None:
    assert parse(NOTIFY).body == b"body"
    with pytest.raises(SipParseError):
        parse(NOTIFY.replace(b"l: 4", b"l: 400"))
    with pytest.raises(SipParseError):
        parse(NOTIFY.replace(b"l: 4", b"l: four"))


def test_bare_line_feeds_and_leading_line_ends_are_accepted() -> None:
    message = parse(b"\r\n\r\n" + NOTIFY.replace(b"\r\n", b"\n"))
    assert message.body == b"body"
    assert message.cseq == 7


def test_a_status_line_makes_a_response() -> None:
    message = parse(NOTIFY.replace(b"NOTIFY sip:prov@192.0.2.10:5060 SIP/2.0", b"SIP/2.0 481 No such thing"))
    assert isinstance(message, Response)
    assert (message.status, message.reason) == (481, "No such thing")


def test_what_was_written_reads_back_the_same() -> None:
    message = parse(NOTIFY)
    again = parse(message.to_bytes())
    assert isinstance(again, Request)
    assert again.body == message.body
    assert again.all("Via") == message.all("Via")
    assert again.get("Content-Length") == "4"


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        NOTIFY.replace(b"I: c-1\r\n", b""),
        NOTIFY.replace(b"NOTIFY\r\n", b"OPTIONS\r\n"),
        NOTIFY.replace(b"CSEQ:  7", b"CSEQ: \xc2\xb2"),
        NOTIFY.replace(b"Subject: one", b"Subject: o\0ne"),
        NOTIFY.replace(b"Subject: one", b"no colon here"),
        NOTIFY.replace(b"NOTIFY sip:prov@192.0.2.10:5060 SIP/2.0", b"SIP/2.0 200 \x1b[31mOK"),
        NOTIFY.replace(b"sip:prov@", b"sip:pr\0ov@", 1),
        NOTIFY.replace(b"Subject: one\r\n", b"X: y\r\n" * MAX_HEADERS),
        NOTIFY.replace(b"Subject: one", b"Subject: " + b"x" * 9_000),
        NOTIFY + b"x" * 70_000,
    ],
)
def test_what_is_no_sip_is_refused(broken: bytes) -> None:
    with pytest.raises(SipParseError):
        parse(broken)


@given(st.binary(max_size=600))
def test_noise_raises_nothing_but_a_parse_error(noise: bytes) -> None:
    with pytest.raises(SipParseError):
        parse(noise)  # a message needs five headers: chance does not make one


@given(
    st.lists(st.tuples(st.integers(0, len(NOTIFY) - 1), st.integers(0, 255)), max_size=6),
    st.integers(0, len(NOTIFY)),
)
def test_damaged_messages_are_read_or_refused_and_everything_on_them_can_be_asked(
    damage: list[tuple[int, int]], end: int
) -> None:
    data = bytearray(NOTIFY)
    for place, byte in damage:
        data[place] = byte
    try:
        message = parse(bytes(data[:end]))
    except SipParseError:
        return
    assert message.call_id
    assert message.cseq_method
    assert isinstance(message.branch, str)
    if isinstance(message, Request):
        assert parse(reply(message, 200, "OK", to_tag="x").to_bytes()).call_id == message.call_id


@given(st.text(max_size=200))
def test_addresses_vias_and_lists_raise_nothing_but_a_parse_error(text: str) -> None:
    for reader in (parse_uri, parse_name_addr, parse_via):
        try:
            reader(text)
        except SipParseError:
            continue
    parse_params(text)
    split_outside(text, ",")


@given(st.text(min_size=1, max_size=40))
def test_any_user_name_survives_a_written_address(user: str) -> None:
    assert (
        parse_uri(sip_uri(user.encode(errors="replace").decode(), "pbx.example.net")).user
        == user.encode(errors="replace").decode()
    )


def test_the_parts_of_an_address() -> None:
    uri = parse_uri("sips:1%3001@[2001:DB8::1]:5061;transport=TLS;lr")
    assert (uri.scheme, uri.user, uri.host, uri.port) == ("sips", "1001", "[2001:db8::1]", 5061)
    assert uri.params == {"transport": "TLS", "lr": ""}
    for wrong in ("tel:112", "sip:", "sip:a@b:0", "sip:a@b:99999", 'sip:a@b"', "sip:a b@c"):
        with pytest.raises(SipParseError):
            parse_uri(wrong)


def test_nothing_with_a_line_break_is_sent() -> None:
    request = Request(method="NOTIFY", uri="sip:a@b", headers=(("To", "<sip:a@b>\r\nEvil: 1"),))
    with pytest.raises(SipParseError):
        request.to_bytes()
    with pytest.raises(SipParseError):
        Request(method="NOTIFY", uri="sip:a@b SIP/2.0\r\nEvil: 1").to_bytes()


def test_an_answer_copies_what_the_asker_needs_and_tags_the_to_header_once() -> None:
    request = parse(NOTIFY)
    assert isinstance(request, Request)
    answer = reply(request, 200, "OK", to_tag="mine")
    assert answer.all("Via") == request.all("Via")
    assert answer.get("To") == request.get("To")
    fresh = request.with_headers(("To", "<sip:prov@pbx.example.net>"))
    assert reply(fresh, 200, "OK", to_tag="mine").get("To") == "<sip:prov@pbx.example.net>;tag=mine"
