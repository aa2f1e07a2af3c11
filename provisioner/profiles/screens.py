"""What a phone shows on its screen: neutral pages, written in each vendor's XML by templates of its folder."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from provisioner.errors import RenderingFailed
from provisioner.profiles.manifest import FileRule, Profile, applies_to
from provisioner.profiles.rendering import Rendered
from provisioner.profiles.templates import FileTemplate
from provisioner.profiles.writers import MalformedOutputError

TITLE: Final = 40
LINE: Final = 64
"""Characters; a screen has no room for more, and a page has a largest size."""
MOST_LINES: Final = 12
MOST_ITEMS: Final = 12


@dataclass(frozen=True, slots=True)
class Item:
    """Something to choose, and the absolute address it leads to."""

    label: str
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Menu:
    """Things to choose from, at most MOST_ITEMS."""

    title: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """Digits to type; sent as the parameter `name`. `is_secret`: shown as dots."""

    name: str
    label: str
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class Input:
    """Questions whose answers the phone adds to `url` as a query."""

    title: str
    url: str = field(repr=False)
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """A message of at most MOST_LINES lines, and where it leads; without `next` it closes, by itself after `seconds` (0: never)."""

    title: str
    lines: tuple[str, ...]
    next: Item | None = None
    seconds: int = 0


Screen = Menu | Input | Text
_KINDS: Final[Mapping[type, str]] = {Menu: "menu", Input: "input", Text: "text"}
_NAMES: Final = frozenset({"screen"})


class ScreenWriter:
    """One vendor's screens, compiled. ProfileBroken when a template names anything but the screen."""

    def __init__(self, profile: Profile) -> None:
        if profile.screens is None:
            raise ValueError(f"{profile.id} has no screens")
        self.rules: Final = profile.screens
        self._profile = profile
        self._templates = {kind: self._template(profile, kind) for kind in _KINDS.values()}

    def _template(self, profile: Profile, kind: str) -> FileTemplate:
        rule = FileRule(
            id=f"screen {kind}",
            role="bootstrap",
            path="^$",
            template=getattr(self.rules, kind),
            format="xml",
            content_type=self.rules.content_type,
        )
        return FileTemplate(profile, rule, names=_NAMES)

    def is_shown_on(self, model: str) -> bool:
        """Whether phones of this model have a screen for pages."""
        return applies_to(model, self.rules.models, self.rules.not_models)

    def render(self, screen: Screen) -> Rendered:
        """The page for the phone, texts cut to what a screen holds; RenderingFailed when it is larger than phones read."""
        body = self._templates[_KINDS[type(screen)]].run({"screen": _cut(screen)})
        if len(body) > self.rules.largest:
            raise RenderingFailed(
                f"{self._profile.id}: a screen of {len(body)} bytes is more than phones read"
            )
        return Rendered(body, self.rules.content_type)


def screen_writers(profiles: Mapping[str, Profile]) -> dict[str, ScreenWriter]:
    """The vendors whose phones show pages."""
    return {name: ScreenWriter(profile) for name, profile in profiles.items() if profile.screens is not None}


def failing_screens(profile: Profile, check: Callable[[bytes], None]) -> Iterator[tuple[str, str]]:
    """Kinds of screens that cannot be written, and why; `check` raises MalformedOutputError. Nothing when there are none."""
    if profile.screens is None:
        return
    writer = ScreenWriter(profile)
    for screen in largest_screens():
        try:
            check(writer.render(screen).body)
        except (RenderingFailed, MalformedOutputError) as error:
            yield _KINDS[type(screen)], str(error)


def largest_screens(text: str = "Zoë & <Söhne> \"q\" 'a' 100% ; # = ") -> tuple[Screen, ...]:
    """Screens of every kind with as much on them as there can be, every text starting with this one."""
    url = "https://prov.example.net:8443/x/0004130A0B0C/page/" + "t" * LINE
    long = text + '"' * LINE  # what takes most room when it is written
    item = Item(long, f"{url}?a=1&b=2")
    questions = (Question("extension", long), Question("pin", long, is_secret=True))
    return (
        Menu(long, (item,) * MOST_ITEMS),
        Input(long, url, questions),
        Input(long, url, questions[1:]),
        Text(long, (long,) * MOST_LINES, next=item),
        Text(long, (long, "", long), seconds=4),
    )


def _cut(screen: Screen) -> Screen:
    title = screen.title[:TITLE]
    match screen:
        case Menu(items=items):
            return Menu(title, tuple(_cut_item(item) for item in items[:MOST_ITEMS]))
        case Input(url=url, questions=questions):
            cut = tuple(Question(each.name, each.label[:TITLE], each.is_secret) for each in questions)
            return Input(title, url, cut)
        case Text(lines=lines, next=leads_to):
            shown = tuple(line[:LINE] for line in lines[:MOST_LINES])
            return Text(title, shown, _cut_item(leads_to) if leads_to else None, screen.seconds)


def _cut_item(item: Item) -> Item:
    return Item(item.label[:LINE], item.url)
