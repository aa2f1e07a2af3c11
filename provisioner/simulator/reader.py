"""What a phone makes of a file: entries to store, further files to fetch, and then lines and function keys.

Only the files count: nothing here knows what the server meant.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from lxml import etree

from provisioner.errors import BadInput
from provisioner.simulator.dialect import Dialect, IncludeRule, ReadRule, SlotRules

MAX_ENTRIES = 50_000


class UnreadableFile(BadInput):
    """A phone of this kind would reject the file as a whole."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting; `overwrites` false: only taken when nothing is stored under the key."""

    key: str
    value: str
    overwrites: bool = True


@dataclass(frozen=True, slots=True)
class FileContents:
    """Entries in file order and files to fetch next. `resets`: the phone forgets what those do not mention."""

    entries: tuple[Entry, ...] = ()
    includes: tuple[str, ...] = ()
    is_list: bool = False
    resets: bool = False


@dataclass(frozen=True, slots=True)
class LineSettings:
    """One SIP account as the phone understood it. `host` and `port`: where requests are sent."""

    slot: int
    user: str = ""
    auth_user: str = ""
    password: str = field(default="", repr=False)
    domain: str = ""
    host: str = ""
    port: int = 5060
    transport: str = "udp"
    expires: int = 3600
    is_active: bool = False
    label: str = ""
    display_name: str = ""
    is_shared: bool = False  # other phones have it too: shared call appearances


@dataclass(frozen=True, slots=True)
class FunctionKey:
    """One key in the vendor's words."""

    slot: int
    type: str
    value: str = ""
    label: str = ""
    line: str = ""
    pickup: str = ""


def read_file(body: bytes, dialect: Dialect, *, model: str) -> FileContents:
    """Read one file in the dialect's format; raises UnreadableFile."""
    if dialect.format == "keyvalue":
        return _read_lines(body, dialect.includes, model=model)
    root = _xml(body)
    entries = _sections(root, dialect) if dialect.format == "sections" else _elements(root)
    includes = _included(root, dialect.includes)
    contents = FileContents(tuple(entries), includes, is_list=bool(includes))
    if len(contents.entries) > MAX_ENTRIES:
        raise UnreadableFile("The file holds too many settings")
    return contents


def store(stored: Mapping[str, str], contents: FileContents, *, null: str = "") -> dict[str, str]:
    """What the phone knows after `contents`. What a file does not mention stays as it was, unless the file resets."""
    result = {} if contents.resets else dict(stored)
    for entry in contents.entries:
        if null and entry.value == null:
            result.pop(entry.key, None)
        elif entry.overwrites or entry.key not in result:
            result[entry.key] = entry.value
    return result


def lines(stored: Mapping[str, str], dialect: Dialect) -> tuple[LineSettings, ...]:
    """The accounts that have a user, in slot order."""
    found = []
    for slot, said in _slots(stored, dialect.lines):
        if not said.get("user"):
            continue
        host = said.get("host") or said.get("domain", "")
        found.append(
            LineSettings(
                slot=slot,
                user=said["user"],
                auth_user=said.get("auth_user") or said["user"],
                password=said.get("password", ""),
                domain=said.get("domain", ""),
                host=host,
                port=_whole(said.get("port"), 5060, most=65_535),
                transport=said.get("transport", "udp").lower(),
                expires=_whole(said.get("expires"), dialect.expires),
                is_active=said.get("active", "true") == "true" and bool(host),
                label=said.get("label", ""),
                display_name=said.get("display_name", ""),
                is_shared=said.get("shared") == "true",
            )
        )
    return tuple(found)


def function_keys(stored: Mapping[str, str], dialect: Dialect) -> tuple[FunctionKey, ...]:
    """The keys that have a type, in slot order; a type that means "no function" is up to the vendor's words."""
    return tuple(
        FunctionKey(
            slot=slot,
            type=said["type"],
            value=said.get("value", ""),
            label=said.get("label", ""),
            line=said.get("line", ""),
            pickup=said.get("pickup", ""),
        )
        for slot, said in _slots(stored, dialect.keys)
        if said.get("type")
    )


def _slots(stored: Mapping[str, str], rules: SlotRules) -> Iterator[tuple[int, dict[str, str]]]:
    for slot in range(1, rules.count + 1):
        number = str(slot - 1 + rules.first)
        said: dict[str, str] = {}
        for rule in rules.read:
            said |= _apply(rule, stored, number)
        yield slot, said


def _apply(rule: ReadRule, stored: Mapping[str, str], number: str) -> dict[str, str]:
    if rule.when and stored.get(rule.when.replace("{n}", number)) not in rule.is_one_of:
        return {}
    value = stored.get(rule.key.replace("{n}", number))
    if value is None:
        return {}
    if rule.pattern is None:
        value = rule.map.get(value, "" if rule.map else value)
        return {rule.field: value} if value else {}
    found = rule.pattern.search(value)
    groups = found.groupdict() if found else {}
    said = {name: rule.map.get(text, text) for name, text in groups.items() if text}
    return said | {
        name: unquote(said[name], errors="replace") for name in rule.percent_encoded if name in said
    }


def _whole(text: str | None, otherwise: int, *, most: int = 9_999_999) -> int:
    number = int(text) if text and text.isascii() and text.isdigit() and len(text) < 8 else 0
    return number if 0 < number <= most else otherwise


def _read_lines(body: bytes, rule: IncludeRule, *, model: str) -> FileContents:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableFile("The file is not UTF-8 text") from error
    rows = text.splitlines()
    entries, includes, resets = [], [], False
    is_list = bool(rule.first_line) and rows[:1] == [rule.first_line]
    for row in rows:
        if is_list and rule.line and (found := rule.line.search(row)):
            models = [
                name.strip() for name in (found.groupdict().get("models") or "").split(",") if name.strip()
            ]
            if not models or model in models:
                includes.append(found["url"])
        elif is_list and rule.resets and rule.resets.search(row):
            resets = True
        elif row.strip() and not row.lstrip().startswith("#"):
            key, equals, value = row.partition("=")
            if equals:
                entries.append(Entry(key.strip(), value.strip()))
    if len(entries) > MAX_ENTRIES:
        raise UnreadableFile("The file holds too many settings")
    return FileContents(tuple(entries), tuple(includes), is_list, resets)


def _xml(body: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnreadableFile("The file is not well-formed XML") from error


def _elements(root: etree._Element) -> Iterator[Entry]:
    """Every element without children: `name` or `name/idx`, and its attributes as `name/idx@attribute`."""
    for element in root.iter():
        if not isinstance(element.tag, str) or len(element) or element is root:
            continue
        name = etree.QName(element).localname
        key = f"{name}/{element.get('idx')}" if element.get("idx") is not None else name
        yield Entry(key, (element.text or "").strip())
        for attribute, value in element.attrib.items():
            if attribute != "idx":
                yield Entry(f"{key}@{attribute}", str(value))


def _sections(root: etree._Element, dialect: Dialect) -> Iterator[Entry]:
    """`<section name="s"><entry name="e">value`: `s/e`."""
    for element in root.iter("{*}entry"):
        parent = element.getparent()
        section = parent.get("name", "") if parent is not None else ""
        overwrites = not dialect.needs_overwrite or element.get("overwrite") == "true"
        yield Entry(f"{section}/{element.get('name', '')}", (element.text or "").strip(), overwrites)


def _included(root: etree._Element, rule: IncludeRule) -> tuple[str, ...]:
    if not rule.element:
        return ()
    found = (element.get(rule.attribute, "") for element in root.iter("{*}" + rule.element))
    return tuple(url for url in found if url)
