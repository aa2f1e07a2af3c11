"""`provisioner cert`: the own CA and what it issued."""

from pathlib import Path
from typing import Any

import click

from provisioner.cli.output import show_rows, show_thing
from provisioner.cli.work import Verb, Work, with_work
from provisioner.clock import system_clock
from provisioner.errors import CannotStart, Conflict
from provisioner.model import Mac
from provisioner.pki.authority import Authority, PairFiles, ensure_server_certificates
from provisioner.pki.certificate import facts_of, read_certificates
from provisioner.services.operation.installation import CERTIFICATES


@click.group()
def cert() -> None:
    """Certificates: the own CA, the server's, and client certificates for devices."""


@cert.command(cls=Verb)
@with_work
async def show(work: Work) -> None:
    """Show the certificates of this installation and when they end."""
    folder = _folder(work)
    rows = [_facts(path) for path in sorted(folder.glob("*.pem"))]
    show_rows(work, rows, columns=("file", "subject", "not_after", "names"))


@cert.command(cls=Verb)
@click.argument("mac")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for the certificate and its private key.",
)
@with_work
async def device(work: Work, /, *, mac: str, out: Path) -> None:
    """Issue a client certificate for the device with this MAC: MAC.pem and MAC.key in the folder --out."""
    address = Mac.parse(mac)
    authority = Authority.load(_folder(work), clock=system_clock)
    files = _issue(authority, address, out)
    show_thing(
        work, _facts(files.certificate) | {"certificate": str(files.certificate), "key": str(files.key)}
    )


@cert.command(cls=Verb)
@click.option("--renew", is_flag=True, help="Issue both anew now, not only when they are nearly over.")
@with_work
async def server(work: Work, /, *, renew: bool) -> None:
    """See to the server's ECDSA and RSA certificates; they are issued anew when names changed or the end is near."""
    settings, folder = work.settings(), _folder(work)
    authority = Authority.load(folder, clock=system_clock)
    names = list(dict.fromkeys([settings.public_host, "localhost", "127.0.0.1"]))
    if renew:
        authority.issue_server(names, algorithm="ecdsa").save(PairFiles.at(folder, "server-ecdsa"))
        authority.issue_server(names, algorithm="rsa").save(PairFiles.at(folder, "server-rsa"))
    pairs = ensure_server_certificates(folder, authority, names=names, clock=system_clock)
    show_rows(work, [_facts(pair.certificate) for pair in pairs], columns=("file", "not_after", "names"))
    if renew and not work.is_json:
        click.echo("Restart the server to use them.")


def _issue(authority: Authority, address: Mac, out: Path) -> PairFiles:
    files = PairFiles.at(out, address.digits)
    if files.certificate.exists() or files.key.exists():
        raise Conflict(f"{files.certificate} or its key exists already; name another folder.")
    out.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority.issue_device(address).save(files)
    return files


def _folder(work: Work) -> Path:
    folder = work.settings().data / CERTIFICATES
    if not folder.is_dir():
        raise CannotStart(
            f"There are no certificates in {folder}: run `provisioner init`, or name its folder with --data."
        )
    return folder


def _facts(path: Path) -> dict[str, Any]:
    facts = facts_of(read_certificates(path)[0])
    return {
        "file": path.name,
        "subject": facts.subject,
        "issuer": facts.issuer,
        "serial": facts.serial,
        "not_before": facts.not_before,
        "not_after": facts.not_after,
        "names": list(facts.names),
        "fingerprint": facts.fingerprint,
    }
