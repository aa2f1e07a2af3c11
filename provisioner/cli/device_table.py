"""`provisioner device preview`, `import` and `export`: many devices as one table."""

import csv
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from provisioner.cli.output import progress, show_done, show_rows, show_thing
from provisioner.cli.work import Verb, Work, tenant_option, with_work
from provisioner.errors import BadInput
from provisioner.services.devices import imports
from provisioner.services.devices.import_table import read_text
from provisioner.services.devices.imports import ImportedDevice

_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
_create_users = click.option("--create-users", is_flag=True, help="Make users that are named but not there.")


@click.command(cls=Verb)
@_file
@tenant_option
@_create_users
@with_work
async def preview(work: Work, /, *, file: Path, tenant_key: str | None, create_users: bool) -> None:
    """Show what an import of FILE (CSV, - for standard input) would do; nothing is stored."""
    text = read_text(_content(file))
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        with progress(work, "Checking") as tell:
            plan = await imports.preview(
                context,
                work.actor,
                tenant_id=tenant.id,
                text=text,
                create_users=create_users,
                on_progress=tell,
            )
    broken = [{"line": row.line, "column": row.column, "reason": row.reason} for row in plan.broken]
    devices = [_imported(item, with_password=False) for item in plan.devices]
    if work.is_json:
        show_thing(work, {"importable": plan.is_importable, "devices": devices, "broken": broken})
        return
    show_rows(work, devices, columns=("line", "mac", "model", "name", "user", "makes_user", "warnings"))
    if broken:
        show_rows(work, broken)
    click.echo(
        f"{len(devices)} devices can be imported, {len(broken)} complaints."
        + (" Nothing would be imported." if broken else "")
    )


@click.command("import", cls=Verb)
@_file
@tenant_option
@_create_users
@click.option(
    "--credentials",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write user names and passwords to this new file (CSV, only you can read it).",
)
@with_work
async def import_(
    work: Work, /, *, file: Path, tenant_key: str | None, create_users: bool, credentials: Path | None
) -> None:
    """Register all devices of FILE (CSV, - for standard input), or none.

    Columns in any order: mac, model, extension, user, name, site, password, note. Passwords are made where none is
    given, and shown this once.
    """
    text = read_text(_content(file))
    _refuse_existing(credentials)
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        with progress(work, "Importing") as tell:
            result = await imports.import_devices(
                context,
                work.actor,
                tenant_id=tenant.id,
                text=text,
                create_users=create_users,
                on_progress=tell,
            )
    devices = [_imported(item, with_password=credentials is None) for item in result.devices]
    if credentials is not None:
        _write_credentials(credentials, result.devices)
    if work.is_json:
        show_thing(work, {"devices": devices, "users_made": result.users_made})
        return
    columns = ("mac", "model", "name", "user", "username", *(("password",) if credentials is None else ()))
    show_rows(work, devices, columns=columns)
    where = f"Passwords are in {credentials}." if credentials else "Passwords are shown this once."
    click.echo(f"{len(devices)} devices and {result.users_made} users are registered. {where}")


@click.command(cls=Verb)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write; standard output when left out.",
)
@tenant_option
@with_work
async def export(work: Work, /, *, out: Path | None, tenant_key: str | None) -> None:
    """Write a tenant's devices as CSV, without any secret; `import` reads it."""
    async with work.context() as context:
        tenant = await work.tenant(context, tenant_key)
        text = await imports.export_devices(context, work.actor, tenant_id=tenant.id)
    count = max(text.count("\r\n") - 1, 0)
    if out is not None:
        _write(out, text)
        show_done(work, f"{out} is written.", file=str(out))
    elif work.is_json:
        show_thing(work, {"csv": text, "lines": count})
    else:
        click.echo(text, nl=False)


def _content(file: Path) -> bytes:
    return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()


def _imported(item: ImportedDevice, *, with_password: bool) -> dict[str, Any]:
    names = ("line", "mac", "model", "name", "user", "makes_user", "warnings")
    thing = {name: getattr(item, name) for name in names}
    if with_password:
        thing |= {"username": item.username, "password": item.password if item.was_generated else None}
    return thing


def _refuse_existing(path: Path | None) -> None:
    if path is not None and path.exists():
        raise BadInput(f"{path} exists already; name a new file.", field="credentials")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="")


def _write_credentials(path: Path, devices: Sequence[ImportedDevice]) -> None:
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline=""
    ) as file:
        writer = csv.writer(file)
        writer.writerow(("mac", "name", "username", "password"))
        writer.writerows((item.mac, item.name, item.username, item.password) for item in devices)
