"""The problem catalogue: what each `type` of a problem means and what to do; the page at /problems and docs/problems.md say the same."""

from collections.abc import Iterator, Mapping
from functools import cache
from html import escape
from typing import Final, NamedTuple

from aiohttp import web

from provisioner.errors import ProvisionerError
from provisioner.web.problems import TITLES

INTRODUCTION: Final = (
    "Every error of the server is an RFC 9457 problem (`application/problem+json`). Its `type` is a relative reference whose fragment is one of the "
    "names below; names never change. `detail` says in a sentence what is wrong in this case, `errors` names every field that is wrong. The last ones "
    "never travel over HTTP: they are what the server says when it refuses to start."
)


class Explanation(NamedTuple):
    """What a problem means, and what to do about it."""

    meaning: str
    remedy: str


EXPLANATIONS: Final[Mapping[str, Explanation]] = {
    "internal": Explanation(
        "A defect of the server. What happened is in its log, not in the answer.",
        "Look into the log around this time and report it.",
    ),
    "bad-input": Explanation(
        "A value is missing, unknown, of the wrong type or not allowed; also a query parameter that does not exist.",
        "`errors` lists every field with a sentence. Correct them and send again; nothing was changed.",
    ),
    "invalid-mac": Explanation(
        "A MAC address has exactly twelve hexadecimal digits, with any usual separators; group addresses and all zeros are none.",
        "Compare with the label on the phone; the letter O and the digit 0 are easily mistaken.",
    ),
    "weak-password": Explanation(
        "The password does not follow the rule. `missing` has one sentence for each part of the rule that is not met.",
        "Add what is missing, or leave the password out and have one generated.",
    ),
    "weak-pin": Explanation(
        "A hotdesk PIN has 4 to 10 digits and is not one that is guessed first; the sentence says what is wrong with this one.",
        "Choose another, or leave it out and have one generated.",
    ),
    "unknown-model": Explanation(
        "No installed vendor profile has this model. `models` lists every profile/model there is.",
        "Choose one of the list, or install the vendor's profile.",
    ),
    "invalid-setting": Explanation(
        "There is no such setting, or it cannot have this value, or it cannot be set at this scope.",
        "The sentence says what is allowed; GET /api/v1/settings is the whole catalogue. Nothing was changed.",
    ),
    "invalid-policy": Explanation(
        "The credential policy is neither one of the built-in names nor an expression over conditions.",
        "`policies` lists the names; an expression looks like `certificate or (password and network)`.",
    ),
    "key-beyond-model": Explanation(
        "A function key was set in a slot that this phone does not have. `model`, `module` and `slot` say which.",
        "Choose a slot the phone has, or set the key for the user or the model: there it waits for a phone with more keys.",
    ),
    "key-not-supported": Explanation(
        "Phones of this model have no function key of this type. `detail` says why, and often what does the same.",
        "Choose another type; GET /api/v1/profiles/{profile}/{model}/key-types lists what the model can show.",
    ),
    "import-refused": Explanation(
        "At least one row of the file is wrong. `rows` lists line, column and reason of each.",
        "Correct the rows and import the file again; nothing of it was imported.",
    ),
    "unauthenticated": Explanation(
        "Nobody is logged in, or the token is wrong, revoked or too old, or the present password was wrong.",
        "Log in, or send `Authorization: Bearer prov_…` with a token that is good.",
    ),
    "forbidden": Explanation(
        "Your role does not allow this (`permission` says what is missing), or another web site made the browser send the request.",
        "Ask an admin or, for things of the whole server, an operator.",
    ),
    "not-found": Explanation(
        "It is not there, or not yours: these look the same on purpose.",
        "Check the number in the address, and whose token it is.",
    ),
    "conflict": Explanation(
        "What is stored leaves no room for this: a name that is taken, a second device for a user of a tenant without premium.",
        "The sentence says what is in the way, and `field` which value to change.",
    ),
    "too-many-devices": Explanation(
        "Without premium a user has one device, with it up to nine. `devices` names those the user has, or `users` everybody who has several.",
        "Remove or reassign one of them, or make the tenant premium.",
    ),
    "no-hotdesk-right": Explanation(
        "Hotdesking is switched on per user and per device; here it is not.",
        "Switch it on for the user (who gets a PIN) or for the device, or choose another.",
    ),
    "mac-taken": Explanation(
        "A device with this MAC address is registered already. `device` and `tenant` name it when you may see it; otherwise it belongs to somebody else.",
        "Compare with the label. A used phone is removed by its former owner first.",
    ),
    "extension-taken": Explanation(
        "Another user, queue or number of the tenant has this extension.",
        "Choose another, or take it away there first.",
    ),
    "code-collision": Explanation(
        "A dial code, an extension or an emergency number is equal to another one or its beginning: what is dialled would be ambiguous.",
        "The sentence names both. Choose another code or extension; an emergency number is never in the wrong.",
    ),
    "cannot-share-line": Explanation(
        "The device has no free line left, the chosen line stands for something else, or its vendor knows no shared call appearances. `device` names it.",
        "Choose another line or leave the device out; the mode blf works on every phone that has keys with lamps.",
    ),
    "in-use": Explanation(
        "It cannot be removed while something points at it; the sentence names what.",
        "Remove or reassign that first.",
    ),
    "forwarding-loop": Explanation(
        "A forward, an overflow or a fall-back would lead calls back to where they came from. `loop` names every place on the way.",
        "Send the call somewhere else, or change one of the others in the circle first.",
    ),
    "start-over": Explanation(
        "A PBX asked for changes after an event that is older than the feed, which keeps seven days, or that this server never had.",
        "Throw away all copies of the directory and go on with the feed from `last`.",
    ),
    "too-large": Explanation(
        "The body of the request is larger than the server takes.", "Send less at once."
    ),
    "too-many-attempts": Explanation(
        "Too many wrong passwords were tried.", "Wait as many seconds as the Retry-After header says."
    ),
    "storage-full": Explanation(
        "The disk or the database is full. Nothing was changed, nothing is lost.",
        "Free some space and send again.",
    ),
    "unavailable": Explanation(
        "The server is too busy to take this now, or the vendor profile that it needs is switched off because its folder is broken.",
        "Come back after the seconds of the Retry-After header; the sentence says which profile, if it is one.",
    ),
    "bad-seal": Explanation(
        "A stored secret was altered or moved: its seal does not open.",
        "Restore the database from a backup, or replace the secret.",
    ),
    "profile-broken": Explanation(
        "A vendor folder cannot be used; the log says which file and which entry.",
        "Run `provisioner profile check` on the folder.",
    ),
    "rendering-failed": Explanation(
        "A phone's file could not be made from its settings; the log names the profile's entry.",
        "Run `provisioner profile check`, and look at the device's settings.",
    ),
    "bad-request": Explanation("The request cannot be read as HTTP.", "Check the program that sent it."),
    "method-not-allowed": Explanation(
        "The address is right, the method is not. The Allow header lists those that are.", "Use one of them."
    ),
    "unsupported-media-type": Explanation("Bodies are JSON.", "Send `Content-Type: application/json`."),
    "headers-too-large": Explanation(
        "The headers of the request are too large.", "Remove what is not needed, cookies for one."
    ),
    "cannot-start": Explanation(
        "The settings of the server cannot be used; the sentence says which and why.",
        "Correct them in provisioner.toml or the environment.",
    ),
    "key-missing": Explanation(
        "The stored secrets were sealed with a key that is not in the key ring; its id is named.",
        "Put the key ring of this database back in its place.",
    ),
    "key-ring-unusable": Explanation(
        "The key ring is absent, damaged, readable by others, or the example from the documentation.",
        "Restore it from the backup, or set its permissions to 0600.",
    ),
    "database-too-new": Explanation(
        "The database was made by a newer version of the program.",
        "Install that version; there is no way back.",
    ),
    "database-not-migrated": Explanation(
        "The database is older than the program.", "Make a backup and run `provisioner db upgrade`."
    ),
}


class Section(NamedTuple):
    """One problem of the catalogue. `status` 0: never sent."""

    slug: str
    title: str
    status: int
    meaning: str
    remedy: str


@cache
def sections() -> tuple[Section, ...]:
    """The catalogue in the order of the exception tree, then what HTTP itself adds."""
    found: dict[str, Section] = {}
    for error in _tree(ProvisionerError):
        never_sent = any(base.__name__ == "CannotStart" for base in error.__mro__)
        found.setdefault(
            error.type,
            Section(error.type, error.title, 0 if never_sent else error.status, *EXPLANATIONS[error.type]),
        )
    for status, (slug, title) in TITLES.items():
        found.setdefault(slug, Section(slug, title, status, *EXPLANATIONS[slug]))
    return tuple(sorted(found.values(), key=lambda section: section.status == 0))


def problem_reference() -> str:
    """docs/problems.md."""
    parts = ["# Problems", "", INTRODUCTION, ""]
    for section in sections():
        status = f"Status {section.status}. " if section.status else "The server does not start. "
        parts += [
            f"## {section.slug}",
            "",
            f"**{section.title}.** {status}{section.meaning}",
            "",
            f"What to do: {section.remedy}",
            "",
        ]
    return "\n".join(parts)


async def get_problems(_request: web.Request) -> web.Response:
    """The same as a page, for everybody."""
    headers = {
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cache-Control": "max-age=300",
        "X-Content-Type-Options": "nosniff",
    }
    return web.Response(text=_page(), content_type="text/html", charset="utf-8", headers=headers)


@cache
def _page() -> str:
    body = "".join(
        f'<section id="{section.slug}"><h2>{section.slug}</h2><p><strong>{escape(section.title)}.</strong> {_status(section)}{_marked(section.meaning)}</p>'
        f"<p>What to do: {_marked(section.remedy)}</p></section>"
        for section in sections()
    )
    return f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Problems</title></head><body><main><h1>Problems</h1><p>{_marked(INTRODUCTION)}</p>{body}</main></body></html>'


def _status(section: Section) -> str:
    return f"Status {section.status}. " if section.status else "The server does not start. "


def _marked(text: str) -> str:
    """Back-quoted words as <code>."""
    pieces = escape(text).split("`")
    return "".join(f"<code>{piece}</code>" if index % 2 else piece for index, piece in enumerate(pieces))


def _tree(error: type[ProvisionerError]) -> Iterator[type[ProvisionerError]]:
    yield error
    for leaf in error.__subclasses__():
        if leaf.__module__ == ProvisionerError.__module__:
            yield from _tree(leaf)
