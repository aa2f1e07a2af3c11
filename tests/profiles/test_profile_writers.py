from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from provisioner.profiles.writers import LARGEST, WRITERS, MalformedOutputError, XmlWriter, as_text, joined

ANY_TEXT = st.text(alphabet=st.characters(), max_size=60)
XML, KEYVALUE, JSON, TEXT = (WRITERS[name] for name in ("xml", "keyvalue", "json", "text"))


@given(text=ANY_TEXT)
def test_an_xml_value_comes_back_whole_as_text_and_as_attribute(text: str) -> None:
    value = XML.finalize(text)
    body = XML.finish(f'<a><b c="{value}">{value}</b></a>')
    legal = "".join(
        c
        for c in text
        if c in "\t\n\r" or (c >= " " and not 0xD7FF < ord(c) < 0xE000 and c not in "\ufffe\uffff")
    )
    assert XML.parse(body) == [("a", ""), ("a/b/@c", legal), ("a/b", legal)]


@given(text=ANY_TEXT)
def test_a_key_value_line_stays_one_line(text: str) -> None:
    body = KEYVALUE.finish(f"#!first:1\na = {KEYVALUE.finalize(text)}\nb = 2\n")
    assert [name for name, _ in KEYVALUE.parse(body)] == ["a", "b"]
    assert len(body.decode().splitlines()) == 3


@given(text=ANY_TEXT)
def test_a_json_value_comes_back(text: str) -> None:
    body = JSON.finish(f'{{"a": {JSON.finalize(text)}, "b": 1}}')
    legal = "".join(c for c in text if not 0xD7FF < ord(c) < 0xE000)
    assert JSON.parse(body) == [("a", legal), ("b", "1")]


@given(text=ANY_TEXT)
def test_a_text_value_stays_on_its_line(text: str) -> None:
    body = TEXT.finish(f"a {TEXT.finalize(text)}\nb\n")
    assert len(body.decode().splitlines()) == 2
    TEXT.check(body)


def test_the_first_line_of_a_key_value_file_stays_exact() -> None:
    assert KEYVALUE.finish("#!version:1.0.0.1\na = 1").startswith(b"#!version:1.0.0.1\n")


def test_sections_prefix_their_keys_and_values_may_hold_equals_signs() -> None:
    assert KEYVALUE.parse(b"# x\n[s]\na = b=c\n; y\n\n") == [("[s]a", "b=c")]


@pytest.mark.parametrize(
    "before", ["", "\n \n", "<?xml version='1.0' encoding='latin1'?>", "\n<?xml version='1.0'?>\n\n"]
)
def test_xml_is_laid_out_as_its_template_after_one_and_the_same_declaration(before: str) -> None:
    body = XML.finish(f"{before}<a>\n <b>ż</b>\n</a>\n\n")
    assert body.decode() == '<?xml version="1.0" encoding="UTF-8"?>\n<a>\n <b>ż</b>\n</a>\n'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<a>",
        "<a><b></a></b>",
        "<a/><b/>",
        "<a b='1' b='2'/>",
        "<a>&b;</a>",
        "<a><?xml version='1.0'?></a>",
        "text",
    ],
)
def test_what_is_not_xml_is_refused(text: str) -> None:
    for _ in range(2):  # the first refusal leaves nothing behind
        with pytest.raises(MalformedOutputError, match=r"^not well-formed XML in line \d$"):
            XML.finish(text)
    assert XML.finish("<a/>").endswith(b"\n<a/>\n")


@pytest.mark.parametrize(
    "doctype", ["<!DOCTYPE a>", '<!DOCTYPE a [<!ENTITY b "c">]>', "<!DOCTYPE a SYSTEM 'b'>"]
)
def test_a_document_type_is_refused_when_written_and_when_read(doctype: str) -> None:
    for use in (XML.finish, lambda text: XML.parse(text.encode())):
        with pytest.raises(MalformedOutputError, match="document type"):
            use(f"{doctype}<a>1</a>")


def test_quotes_stay_what_they_are_where_they_harm_nothing() -> None:
    assert isinstance(XML, XmlWriter)
    name = 'O\'Brien "B" <&>\n'
    element = XML.element("a", name, {"b": name})
    assert element == '<a b="O\'Brien &quot;B&quot; &lt;&amp;&gt;&#10;">O\'Brien "B" &lt;&amp;&gt;\n</a>'
    assert XML.finalize(name) == "O&#39;Brien &quot;B&quot; &lt;&amp;&gt;&#10;"
    assert XML.element("a", "", {}) == "<a/>"
    assert XML.element("a", Markup("<b/>"), {}) == "<a><b/></a>"
    with pytest.raises(ValueError, match="not the name"):
        XML.element("a b", "", {})


@pytest.mark.parametrize("place", ["<a>{}</a>", "<a b='{}'/>", "<a><!--{}--></a>", "<a>ü{}</a>"])
def test_what_xml_cannot_hold_is_taken_out_wherever_a_template_wrote_it(place: str) -> None:
    clean = XML.finish(place.format("xy"))
    for code in (*range(9), 0xB, 0xC, *range(0xE, 0x20), 0xD800, 0xDFFF, 0xFFFE, 0xFFFF):
        assert XML.finish(place.format(f"x{chr(code)}y")) == clean


@pytest.mark.parametrize("around", ["a = 1{}2\n", "a = ü{}2\n", "# {}\n"])
def test_a_key_value_file_with_a_control_character_is_refused(around: str) -> None:
    assert KEYVALUE.finish(around.format("\t")) == around.format("\t").encode()
    for code in (*range(9), *range(11, 32), *range(127, 160), 0x2028, 0x2029, 0xD800):
        with pytest.raises(MalformedOutputError):
            KEYVALUE.finish(around.format(chr(code)))


def test_the_line_that_is_no_key_and_value_is_named() -> None:
    with pytest.raises(MalformedOutputError, match=r"^line 4 is"):
        KEYVALUE.finish("# x\n\n[s]\nfault\na = 1\n")


def test_a_text_without_end_is_cut_off() -> None:
    assert joined(["a", "b" * (LARGEST - 1)]) == "a" + "b" * (LARGEST - 1)
    with pytest.raises(MalformedOutputError, match="larger than 512 KiB"):
        joined("x" * 1024 for _ in count())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("xml", "<a><b></a>"),
        ("xml", "no markup"),
        ("xml", '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>'),
        ("xml", "<a b=1/>"),
        ("keyvalue", "no sign"),
        ("keyvalue", "a = 1\x0bb = 2"),
        ("keyvalue", "a = 1\u2028b = 2"),
        ("json", "{"),
        ("json", '{"a": 1, "a": 2}'),
    ],
)
def test_a_file_that_is_not_well_formed_is_refused(name: str, text: str) -> None:
    with pytest.raises(MalformedOutputError):
        WRITERS[name].finish(text)


def test_finished_pieces_pass_unchanged() -> None:
    piece = Markup("<b>&\n</b>")
    for each in WRITERS.values():
        assert each.finalize(piece) is piece


def test_plain_values_become_text_and_others_are_refused() -> None:
    assert [as_text(value) for value in ("a", None, True, False, 7, [1, "b"])] == [
        "a",
        "",
        "true",
        "false",
        "7",
        "1,b",
    ]
    with pytest.raises(TypeError):
        as_text({"a": 1})
