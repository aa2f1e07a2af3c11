"""The server's own settings: `provisioner.toml` in the data directory, overridden by PROVISIONER_… in the environment."""

from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from provisioner.errors import CannotStart

Network = IPv4Network | IPv6Network
LOOPBACK: tuple[Network, ...] = (IPv4Network("127.0.0.0/8"),)


DATABASE = "provisioner.sqlite"
"""SQLite's file in the data folder."""


class ServerSettings(BaseSettings):
    """Every setting has a default that works on a fresh machine; docs/operator.md explains each."""

    model_config = SettingsConfigDict(
        env_prefix="PROVISIONER_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    data: Path = Field(
        default=Path("data"), description="Folder of the database, the key ring and the certificates."
    )
    database: str = Field(
        default="",
        repr=False,
        description="Database URL; empty means SQLite in the data folder. postgresql+asyncpg://user:password@host/name",
    )
    public_host: str = Field(
        default="localhost",
        description="The host name phones reach this server by; it stands in every configuration file.",
    )
    phone_address: str = Field(default="0.0.0.0", description="Address of the phone listeners.")  # noqa: S104 - phones are on other machines
    https_port: int = Field(
        default=8443, description="Phones: configuration over TLS. 0 switches the listener off."
    )
    http_port: int = Field(
        default=8080, description="Phones: bootstrap files only. 0 switches the listener off."
    )
    public_https_port: int = Field(
        default=0, description="The TLS port phones see, when a proxy or a NAT changes it. 0: the same."
    )
    public_http_port: int = Field(default=0, description="The plain port phones see. 0: the same.")
    admin_address: str = Field(
        default="127.0.0.1", description="Address of the admin listener: user interface, REST, PBX door."
    )
    admin_port: int = Field(default=8088, description="Port of the admin listener.")
    admin_tls: bool = Field(
        default=False, description="The admin listener speaks TLS with the server's certificates."
    )
    trusted_proxies: tuple[Network, ...] = Field(
        default=(), description="Networks of reverse proxies whose X-Forwarded-For is believed."
    )
    fastagi_port: int = Field(
        default=0,
        ge=0,
        le=65_535,
        description="Asterisk: port of the FastAGI server for hotdesk codes, usually 4573. 0 switches it off.",
    )
    fastagi_address: str = Field(
        default="127.0.0.1",
        description="Address of the FastAGI server. It knows neither passwords nor encryption: loopback or a private network.",
    )
    fastagi_peers: tuple[Network, ...] = Field(
        default=LOOPBACK, description="Networks that Asterisk servers may call the FastAGI server from."
    )
    profiles: Path | None = Field(
        default=None,
        description="Folder of the vendor profiles; empty means the ones that came with the server.",
    )
    anchors: Path | None = Field(
        default=None,
        description="Folder of vendor trust anchors; empty means certs/anchors in the data folder.",
    )
    client_certificates: Literal["auto", "ask", "never"] = Field(
        default="auto",
        description="Whether phones are asked for a client certificate. auto: when vendor anchors are installed. A phone that shows a certificate of a vendor without an anchor cannot connect at all.",
    )
    tls_ciphers: str = Field(
        default="",
        description="OpenSSL cipher list for TLS 1.2, for old phones (for example DEFAULT@SECLEVEL=1).",
    )
    policy: str = Field(default="password", description="Credential policy of tenants that have chosen none.")
    offer_sha256: bool = Field(
        default=False, description="Offer Digest SHA-256 to phones before MD5. Few phones know it."
    )
    accept_expired_certificates: bool = Field(
        default=False, description="Phones with an expired factory certificate are still identified by it."
    )
    cache_bytes: int = Field(
        default=256 * 1024 * 1024, ge=1024 * 1024, description="Memory for rendered files, in bytes."
    )
    cache_devices: int = Field(default=50_000, ge=100, description="How many devices are kept in memory.")
    max_phone_requests: int = Field(
        default=2_000,
        ge=10,
        description="Phone requests worked on at once; more are told to come back (503).",
    )
    registration_grace: int = Field(
        default=30, ge=0, le=600, description="Seconds a registration stays green after its time is over."
    )
    resync_rate: int = Field(
        default=5,
        ge=1,
        le=1_000,
        description="Phones of one tenant that are asked in one second to fetch their configuration.",
    )
    keep_fetches_days: int = Field(default=30, ge=1, description="How long the provisioning log is kept.")
    keep_hotdesk_days: int = Field(
        default=30, ge=1, description="How long it is kept who was logged in on which hotdesk device."
    )
    keep_audit_days: int = Field(default=365, ge=1, description="How long the audit log is kept.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="How much is logged."
    )
    log_json: bool = Field(default=False, description="Log lines as JSON.")

    @field_validator("public_host")
    @classmethod
    def _host_is_one_word(cls, value: str) -> str:
        if not value or any(character in value for character in " /:@?#"):
            raise ValueError("a host name or address alone, without scheme, port or path")
        return value

    @model_validator(mode="after")
    def _admin_is_protected(self) -> "ServerSettings":
        if self.admin_tls or self.trusted_proxies or _is_loopback(self.admin_address):
            return self
        raise ValueError(
            f"the admin listener at {self.admin_address} would carry passwords in clear text: set admin_tls, "
            "or name the reverse proxy in trusted_proxies, or bind admin_address to 127.0.0.1"
        )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the order of pydantic-settings
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))

    @property
    def database_url(self) -> str:
        """The database as SQLAlchemy's async engine wants it."""
        return self.database or f"sqlite+aiosqlite:///{self.data / DATABASE}"

    @property
    def https_base(self) -> str:
        """What phones put in front of a path, without a slash at the end."""
        return f"https://{self.public_host}:{self.public_https_port or self.https_port}"

    @property
    def http_base(self) -> str:
        """The same for bootstrap files; empty when the plain listener is off."""
        port = self.public_http_port or self.http_port
        return f"http://{self.public_host}:{port}" if self.http_port else ""


def load_settings(data: Path, **overrides: object) -> ServerSettings:
    """Read `data`/provisioner.toml and the environment; raises CannotStart with every wrong entry named."""

    class _FromFile(ServerSettings):
        model_config = SettingsConfigDict(
            env_prefix="PROVISIONER_",
            env_nested_delimiter="__",
            extra="forbid",
            frozen=True,
            toml_file=data / "provisioner.toml",
        )

    try:
        return _FromFile(**{"data": data, **overrides})  # type: ignore[arg-type]  # checked by pydantic itself
    except ValidationError as error:
        entries = "; ".join(
            f"{'.'.join(str(part) for part in entry['loc']) or 'settings'}: {entry['msg']}"
            for entry in error.errors()
        )
        raise CannotStart(f"The server settings are not usable: {entries}") from None


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
