"""`provisioner profile`: the vendor profiles."""

from pathlib import Path
from typing import Any

import click

from provisioner.cli.output import progress, show_rows, show_thing
from provisioner.cli.work import Verb, Work, with_work
from provisioner.composition.catalogue import Catalogue, load_catalogue
from provisioner.composition.key_types import KEY_TYPES
from provisioner.errors import NotFound, ProfileBroken, RenderingFailed
from provisioner.profiles.cases import case_folders, write_case
from provisioner.profiles.check import Finding, check_overlaps, check_profile
from provisioner.profiles.loader import load_profile, load_profiles
from provisioner.profiles.manifest import Profile
from provisioner.services.operation.installation import PROFILES

_folder_option = click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the vendor profiles, when it is another.",
)


@click.group()
def profile() -> None:
    """Vendor profiles: what each vendor's phones ask for, as data."""


@profile.command("list", cls=Verb)
@_folder_option
@with_work
async def list_(work: Work, /, *, folder: Path | None) -> None:
    """List vendors and their models (profile/model is what `device add` takes)."""
    profiles = load_profiles(_folder(work, folder), settings=load_catalogue().phone_settings)
    rows: list[dict[str, Any]] = [
        {
            "model": f"{found.id}/{model.id}",
            "label": model.label,
            "lines": model.lines,
            "keys": model.keys,
            "state": "ready",
        }
        for found in profiles.all.values()
        for model in found.models.values()
    ]
    rows += [
        {"model": name, "label": "", "lines": 0, "keys": 0, "state": f"off: {reason}"}
        for name, reason in profiles.broken.items()
    ]
    show_rows(work, rows)


@profile.command(cls=Verb)
@click.argument("name", metavar="PROFILE[/MODEL]")
@_folder_option
@with_work
async def show(work: Work, /, *, name: str, folder: Path | None) -> None:
    """Show one profile: its files in the order phones ask, and what cannot be set; or one model of it."""
    profiles = load_profiles(_folder(work, folder), settings=load_catalogue().phone_settings)
    profile_id, _, model_id = name.partition("/")
    found = profiles.all.get(profile_id)
    if found is None:
        reason = profiles.broken.get(profile_id)
        raise (
            ProfileBroken(reason, profile=profile_id)
            if reason
            else NotFound(f"There are {', '.join(profiles.all)}.")
        )
    if model_id:
        model = found.models.get(model_id)
        if model is None:
            raise NotFound(f"{found.label} has {', '.join(found.models)}.")
        fields = (
            "id",
            "label",
            "lines",
            "keys",
            "modules",
            "module_keys",
            "screen",
            "features",
            "confidence",
            "note",
        )
        show_thing(work, {field: getattr(model, field) for field in fields})
        return
    show_thing(
        work,
        {
            "id": found.id,
            "label": found.label,
            "models": list(found.models),
            "address_blocks": list(found.ouis),
            "provisioning_url": found.url("https://HOST/p", "MAC"),
            "files": [f"{file.id} ({file.role}, {file.path})" for file in found.files],
            "not_supported": [f"{entry.setting}: {entry.reason}" for entry in found.unsupported],
        },
    )


@profile.command(cls=Verb)
@click.argument("names", nargs=-1, metavar="[PROFILE]...")
@_folder_option
@click.option(
    "--write-cases",
    is_flag=True,
    help="Write what is rendered now as the expected files of the cases, first.",
)
@with_work
async def check(work: Work, /, *, names: tuple[str, ...], folder: Path | None, write_cases: bool) -> None:
    """Check all profiles, or the named ones: every setting, key, model, file and case. Exit code 1 when there are errors."""
    root, catalogue = _folder(work, folder), load_catalogue()
    folders = [root / name for name in names] or sorted(path.parent for path in root.glob("*/profile.toml"))
    findings: list[Finding] = []
    loaded: list[Profile] = []
    with progress(work, "Checking") as tell:
        for number, path in enumerate(folders, 1):
            findings += _check(path, catalogue, loaded, write_cases=write_cases)
            tell(number, len(folders))
    findings += check_overlaps(loaded)
    errors = sum(finding.level == "error" for finding in findings)
    rows = [
        {"level": finding.level, "where": finding.where, "message": finding.message} for finding in findings
    ]
    if work.is_json:
        show_thing(work, {"profiles": len(folders), "errors": errors, "findings": rows})
    else:
        for row in rows:
            click.echo(f"{row['level']}: {row['where']}: {row['message']}")
        click.echo(f"{len(folders)} profiles, {errors} errors, {len(rows) - errors} warnings.")
    if errors:
        click.get_current_context().exit(1)


def _check(path: Path, catalogue: Catalogue, loaded: list[Profile], *, write_cases: bool) -> list[Finding]:
    try:
        found = load_profile(path.resolve(), settings=catalogue.phone_settings)
        loaded.append(found)
        if write_cases:
            for case in case_folders(found):
                write_case(found, case, catalogue.phone_settings.values())
        findings = check_profile(found, settings=catalogue.phone_settings, key_kinds=KEY_TYPES)
    except (ProfileBroken, RenderingFailed) as error:
        findings = [Finding("error", "folder", error.detail)]
    return [Finding(item.level, f"{path.name}: {item.where}", item.message) for item in findings]


def _folder(work: Work, folder: Path | None) -> Path:
    return folder or work.settings().profiles or PROFILES
