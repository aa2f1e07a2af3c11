"""A hotdesk PIN: the form that asks for one, and the one page that shows it."""

from dataclasses import dataclass
from typing import ClassVar

from provisioner.services.hotdesk.sessions import NewPin
from provisioner.web.ui.fields import Field, Form
from provisioner.web.ui.visit import Page, Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class PinPage(Page):
    """Shown once: a user's new PIN and the code to dial. `back` is where the page came from."""

    template: ClassVar[str] = "pin.html"
    made: NewPin
    back: str


def pin_form(visit: Visit, action: str, *, is_on: bool) -> Form:
    """A new PIN, chosen or left to the server."""
    _ = visit.language.translate
    return Form(
        action=action,
        submit=_("Give a new PIN") if is_on else _("Switch on and give a PIN"),
        fields=(
            Field(
                name="pin",
                label=_("PIN"),
                control="password",
                autocomplete="off",
                inputmode="numeric",
                maxlength=10,
                help=_("4 to 10 digits; empty for a random one. It is shown once, after this."),
            ),
        ),
    )
