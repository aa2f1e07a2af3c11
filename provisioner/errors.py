"""Every error the product raises on purpose.

ProvisionerError
├── BadInput (422)            a value that is not acceptable; says what to do about it
│   ├── InvalidMac
│   ├── WeakPassword          one message for each missing class
│   ├── WeakPin               says why, never quotes it
│   ├── UnknownModel          carries the models there are
│   ├── InvalidSetting
│   ├── InvalidPolicy
│   ├── KeyBeyondModel        a function key in a slot that the phone does not have
│   ├── KeyNotSupported       a function key of a type that the phone cannot show
│   └── ImportRefused         carries every broken row: line, column, reason
├── Unauthenticated (401)
├── Forbidden (403)
├── NotFound (404)
├── Conflict (409)
│   ├── MacTaken
│   ├── ExtensionTaken
│   ├── CannotShareLine       a device that cannot show a shared line, and what else would do
│   ├── CodeCollision         dial codes, extensions and emergency numbers that a phone could not tell apart
│   ├── TooManyDevices        the premium rule; carries the devices in the way
│   ├── NoHotdeskRight        a user or device that hotdesking is not switched on for
│   ├── ForwardingLoop        calls would go round in a circle; carries it
│   └── InUse                 cannot be deleted while something points at it
├── StartOver (410)           events that were asked for are gone
├── TooLarge (413)
├── TooManyAttempts (429)
├── StorageFull (507)
├── Unavailable (503)
├── BadSeal (500)             a stored secret was altered
├── ProfileBroken (500)       a vendor folder that cannot be used: says which file and entry
├── RenderingFailed (500)     a phone file that could not be made: says which profile and entry
└── CannotStart               the server refuses to start, and says why
    ├── KeyMissing
    ├── KeyRingUnusable       absent, open to others, damaged, an example
    ├── DatabaseTooNew
    └── DatabaseNotMigrated

The leaves carry data as keyword arguments; `provisioner.web.problems` is the one place that turns
them into RFC 9457 problems, of which each `type` has a page in docs/problems.md.
"""

from typing import Any, ClassVar


class ProvisionerError(Exception):
    """Base of all: `type` is the stable slug, `detail` the sentence for a person, `data` what a program needs."""

    type: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong on the server"
    status: ClassVar[int] = 500

    def __init__(self, detail: str, **data: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.data = data


class BadInput(ProvisionerError):
    type = "bad-input"
    title = "A value is not acceptable"
    status = 422

    def __init__(self, detail: str, *, field: str | None = None, **data: Any) -> None:
        super().__init__(detail, **({"field": field} if field else {}), **data)
        self.field = field


class InvalidMac(BadInput):
    type = "invalid-mac"
    title = "This is not a MAC address"


class WeakPassword(BadInput):
    """`missing` in data lists one sentence for each rule that is not met."""

    type = "weak-password"
    title = "The password does not follow the rule"


class WeakPin(BadInput):
    type = "weak-pin"
    title = "The PIN is not acceptable"


class UnknownModel(BadInput):
    """`models` in data lists what can be chosen."""

    type = "unknown-model"
    title = "No installed vendor profile knows this model"


class InvalidSetting(BadInput):
    type = "invalid-setting"
    title = "The setting cannot have this value"


class InvalidPolicy(BadInput):
    type = "invalid-policy"
    title = "The credential policy cannot be understood"


class KeyBeyondModel(BadInput):
    """`model`, `module` and `slot` in data."""

    type = "key-beyond-model"
    title = "The phone has no such key"


class KeyNotSupported(BadInput):
    """`model`, `module`, `slot` and `key_type` in data."""

    type = "key-not-supported"
    title = "The phone cannot show a key of this type"


class ImportRefused(BadInput):
    """`rows` in data: list of {line, column, reason}."""

    type = "import-refused"
    title = "Nothing was imported"


class Unauthenticated(ProvisionerError):
    type = "unauthenticated"
    title = "Log in first"
    status = 401


class Forbidden(ProvisionerError):
    type = "forbidden"
    title = "Your role does not allow this"
    status = 403


class NotFound(ProvisionerError):
    type = "not-found"
    title = "There is no such thing here"
    status = 404


class Conflict(ProvisionerError):
    type = "conflict"
    title = "This cannot be combined with what is stored"
    status = 409

    def __init__(self, detail: str, *, field: str | None = None, **data: Any) -> None:
        super().__init__(detail, **({"field": field} if field else {}), **data)
        self.field = field


class MacTaken(Conflict):
    type = "mac-taken"
    title = "This MAC address is already registered"


class ExtensionTaken(Conflict):
    type = "extension-taken"
    title = "This extension is already in use"


class CannotShareLine(Conflict):
    """`device` in data: the name of the one in the way."""

    type = "cannot-share-line"
    title = "A device cannot be a member of the shared line"


class CodeCollision(Conflict):
    """`code` and `with` in data: the two dial strings in each other's way."""

    type = "code-collision"
    title = "A phone could not tell these numbers apart"


class TooManyDevices(Conflict):
    """`devices` in data: those in the way; or `users`: user → devices."""

    type = "too-many-devices"
    title = "The user has as many devices as are allowed"


class NoHotdeskRight(Conflict):
    type = "no-hotdesk-right"
    title = "Hotdesking is not switched on here"


class ForwardingLoop(Conflict):
    """`loop` in data: the names of the places a call would pass, the first again at the end."""

    type = "forwarding-loop"
    title = "Calls would go round in a circle"


class InUse(Conflict):
    type = "in-use"
    title = "Something else still needs this"


class StartOver(ProvisionerError):
    """`last` in data: the newest event there is."""

    type = "start-over"
    title = "The events after this one are no longer kept"
    status = 410


class TooLarge(ProvisionerError):
    type = "too-large"
    title = "The request is too large"
    status = 413


class TooManyAttempts(ProvisionerError):
    """`retry_after` in data: seconds."""

    type = "too-many-attempts"
    title = "Too many attempts; wait a moment"
    status = 429


class StorageFull(ProvisionerError):
    type = "storage-full"
    title = "The server has no room to store this; nothing was changed"
    status = 507


class Unavailable(ProvisionerError):
    type = "unavailable"
    title = "The server is busy; try again in a moment"
    status = 503


class BadSeal(ProvisionerError):
    """`key_id` in data, when it could be read."""

    type = "bad-seal"
    title = "A stored secret was altered"


class ProfileBroken(ProvisionerError):
    type = "profile-broken"
    title = "A vendor profile cannot be used"


class RenderingFailed(ProvisionerError):
    """Never carries a value of the phone's configuration, only names of the profile's entries."""

    type = "rendering-failed"
    title = "The phone's file could not be made"


class CannotStart(ProvisionerError):
    type = "cannot-start"
    title = "The server refuses to start"


class KeyMissing(CannotStart):
    """`key_id` in data names the key that the stored secrets need."""

    type = "key-missing"


class KeyRingUnusable(CannotStart):
    """`path` in data."""

    type = "key-ring-unusable"


class DatabaseTooNew(CannotStart):
    type = "database-too-new"


class DatabaseNotMigrated(CannotStart):
    type = "database-not-migrated"
