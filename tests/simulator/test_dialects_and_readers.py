from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import BadInput
from provisioner.simulator.dialect import Dialect, fill, load_dialect, load_dialects
from provisioner.simulator.reader import UnreadableFile, function_keys, lines, read_file, store

PROFILES = Path(__file__).resolve().parents[2] / "vendor_profiles"
DIALECTS = load_dialects(PROFILES)

MINIMAL = """
label = "Acme"
oui = "0A1B2C"
model = "One"
firmware = "1"
http_agent = "Acme {model} {mac_colons}"
sip_agent = "Acme {model}"
auth = ["basic"]
format = "keyvalue"
[[orders]]
url = '.'
files = [{ name = "{mac}.cfg" }]
[lines]
count = 1
read = [{ key = "user{n}", field = "user" }]
[keys]
count = 0
read = []
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "simulator.toml"
    path.write_text(text)
    return path


def test_a_new_vendor_is_a_file(tmp_path: Path) -> None:
    dialect = load_dialect(write(tmp_path, MINIMAL))
    names = dialect.names("0A1B2C000001", model="One", firmware="2")
    assert fill(dialect.http_agent, names) == "Acme One 0a:1b:2c:00:00:01"
    stored = store({}, read_file(b"# comment\nuser1 = 201\nno line\n", dialect, model="One"))
    assert [line.user for line in lines(stored, dialect)] == ["201"]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('format = "keyvalue"', 'format = "json"'),
        ('oui = "0A1B2C"', 'oui = "0a"'),
        ("url = '.'", "url = '('"),
        ('auth = ["basic"]', 'auth = ["ntlm"]'),
        ("count = 1", "count = 1\nunknown = 2"),
        ('label = "Acme"', ""),
        ('label = "Acme"', "label = ["),
    ],
)
def test_what_is_wrong_in_a_description_is_said_with_its_place(
    tmp_path: Path, right: str, wrong: str
) -> None:
    folder = tmp_path / "acme"
    folder.mkdir()
    with pytest.raises(BadInput, match=r"acme/simulator\.toml"):
        load_dialect(write(folder, MINIMAL.replace(right, wrong)))


def test_a_name_that_nobody_gave_is_refused() -> None:
    with pytest.raises(BadInput, match=r"\{common\}"):
        fill("{common}.cfg", {"mac": "x"})


every_dialect = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS.keys())


@every_dialect
@given(
    body=st.one_of(st.binary(max_size=300), st.text(max_size=300).map(lambda text: f"<a>{text}</a>".encode()))
)
def test_any_body_is_read_or_refused(dialect: Dialect, body: bytes) -> None:
    try:
        contents = read_file(body, dialect, model=dialect.model)
    except UnreadableFile:
        return
    stored = store({}, contents, null=dialect.null)
    assert lines(stored, dialect) == () or stored
    assert function_keys(stored, dialect) == () or stored


@every_dialect
@given(values=st.lists(st.text(max_size=60), min_size=1, max_size=12))
def test_any_value_under_a_known_key_gives_usable_lines(dialect: Dialect, values: list[str]) -> None:
    keys = [rule.key.replace("{n}", str(dialect.lines.first)) for rule in dialect.lines.read]
    stored = dict(zip(keys, values, strict=False))
    for line in lines(stored, dialect):
        assert line.user
        assert 0 < line.port < 65_536
        assert line.expires > 0


def test_a_value_of_null_goes_back_to_factory() -> None:
    dialect = DIALECTS["yealink"]
    stored = store(
        {}, read_file(b"account.1.user_name = 1\na.b = 2\n", dialect, model="T46U"), null=dialect.null
    )
    stored = store(
        stored, read_file(b"account.1.user_name = %NULL%\n", dialect, model="T46U"), null=dialect.null
    )
    assert stored == {"a.b": "2"}


def test_a_list_of_setting_files_is_followed_in_order() -> None:
    body = b'<settings><setting-files><file url="one.xml"/><file url="two.xml"/></setting-files></settings>'
    assert read_file(body, DIALECTS["snom"], model="D785").includes == ("one.xml", "two.xml")


def test_an_old_encoding_and_entities_are_not_accepted() -> None:
    with pytest.raises(UnreadableFile):
        read_file(b"a = \xff\n", DIALECTS["yealink"], model="T46U")
    body = b'<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/hostname">]><settings><user_name idx="1">&x;</user_name></settings>'
    stored = store({}, read_file(body, DIALECTS["snom"], model="D785"))
    assert stored.get("user_name/1", "") == ""


def test_a_name_with_quotes_cannot_pose_as_an_address() -> None:
    body = (
        '<config><section name="proxy_0"><entry name="reg_sendregister" overwrite="true">1</entry>'
        '<entry name="reg_identity" overwrite="true">"x\\" &lt;sip:evil@evil.example&gt;" &lt;sip:dev%207%40@pbx.test&gt;'
        "</entry></section></config>"
    )
    stored = store({}, read_file(body.encode(), DIALECTS["generic"], model="Linphone"))
    (line,) = lines(stored, DIALECTS["generic"])
    assert (line.user, line.domain) == ("dev 7@", "pbx.test")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (
            "account.1.sip_server_host = pbx.test\naccount.1.sip_server_port = 5070\n",
            ("pbx.test", 5070, "udp"),
        ),
        (
            (
                "account.1.outbound_proxy_enable = 1\naccount.1.outbound_host = sbc.test\naccount.1.outbound_port = 5080\n"
                "account.1.sip_server_host = pbx.test\naccount.1.transport = 1\n"
            ),
            ("sbc.test", 5080, "tcp"),
        ),
        (
            (
                "account.1.outbound_proxy_enable = 0\naccount.1.outbound_proxy.1.address = sbc.test\n"
                "account.1.sip_server.1.address = pbx.test\naccount.1.sip_server.1.transport_type = 2\n"
            ),
            ("pbx.test", 5060, "tls"),
        ),
    ],
)
def test_old_and_new_spellings_lead_to_the_same_place(text: str, place: tuple[str, int, str]) -> None:
    dialect = DIALECTS["yealink"]
    head = "account.1.enable = 1\naccount.1.user_name = 201\n"
    stored = store({}, read_file((head + text).encode(), dialect, model="T46U"))
    (line,) = lines(stored, dialect)
    assert line.is_active
    assert (line.host, line.port, line.transport) == place


def test_every_golden_file_of_a_vendor_is_one_that_its_virtual_phone_can_read() -> None:
    names = {"snom": "device.xml", "yealink": "device.cfg", "generic": "linphone.xml"}
    for vendor, name in names.items():
        files = sorted((PROFILES / vendor / "cases").glob(f"*/{name}"))
        assert files
        for file in files:
            contents = read_file(file.read_bytes(), DIALECTS[vendor], model=DIALECTS[vendor].model)
            stored = store({}, contents, null=DIALECTS[vendor].null)
            for line in lines(stored, DIALECTS[vendor]):
                assert line.is_active, f"{file.parent.name}: an account that is off still has a user"
                assert line.host
