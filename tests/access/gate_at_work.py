"""A gate with one registered device behind it, and a phone that can log in there."""

import base64
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address

from provisioner.access.addresses import Address
from provisioner.access.authorization import Algorithm, DigestCredentials, parse_authorization
from provisioner.access.digest import digest_response
from provisioner.access.enumeration import Enumeration
from provisioner.access.evidence import Evidence
from provisioner.access.gate import Gate, Offer, Subject
from provisioner.access.lockout import Lockout
from provisioner.access.nonces import Nonces
from provisioner.access.policies.evaluation import Verdict
from provisioner.access.policies.named import policy
from provisioner.access.verifier import Verifier

KEY = b"a key that only tests know......"
MAC = bytes.fromhex("000413aabbcc")
HOME = IPv4Address("198.51.100.7")
TARGET = "/p/000413AABBCC.xml"
START = 1_800_000_000.0


def basic_header(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


@dataclass
class Phone:
    """A phone as far as logging in goes: answers a Digest challenge the way RFC 7616 says."""

    username: str = "u-1001"
    password: str = "Ak7-pwq.x_Tm"
    algorithm: Algorithm = "MD5"
    qop: str = "auth"
    uri: str = TARGET
    realm: str = "phones"
    extra: str = ""

    def answer(self, challenge: str, nc: int = 1, *, method: str = "GET") -> str:
        nonce = challenge.split('nonce="')[1].split('"', maxsplit=1)[0]
        verifier = Verifier(
            self.username, self.password, realm=self.realm, key=KEY, algorithms=[self.algorithm]
        )
        shown = DigestCredentials(
            self.username,
            self.realm,
            nonce,
            self.uri,
            self.algorithm,
            self.qop,
            f"{nc:08x}",
            "0a4f113b",
            "",
        )
        ha1 = verifier.ha1(self.algorithm)
        assert ha1 is not None
        response = digest_response(shown, ha1, method=method)
        tail = f', qop={self.qop}, nc={nc:08x}, cnonce="0a4f113b"' if self.qop else ""
        return (
            f'Digest username="{self.username}", realm="{self.realm}", nonce="{nonce}", uri="{self.uri}", '
            f'response="{response}", algorithm={self.algorithm}{tail}{self.extra}'
        )

    def basic(self) -> str:
        return basic_header(self.username, self.password)


@dataclass
class Door:
    """The gate with one registered device behind it, and time that stands still until moved."""

    offer: Offer = field(default_factory=lambda: Offer("phones"))
    lockout: Lockout = field(default_factory=Lockout)
    enumeration: Enumeration = field(default_factory=Enumeration)
    now: float = START

    def __post_init__(self) -> None:
        self.nonces = Nonces(KEY, started=START - 1000)
        self.gate = Gate(
            self.offer, key=KEY, nonces=self.nonces, lockout=self.lockout, enumeration=self.enumeration
        )
        self.phone = Phone()
        self.subject: Subject | None = Subject(
            policy("password"), self.gate.verifier(self.phone.username, self.phone.password)
        )

    def evidence(
        self,
        header: str | None = None,
        *,
        source: str | Address = HOME,
        mac: bytes | None = MAC,
        is_tls: bool = True,
        target: str = TARGET,
        method: str = "GET",
        certificate_mac: bytes | None = None,
        certificate_problem: str | None = None,
        token: str | None = None,
    ) -> Evidence:
        return Evidence(
            mac=mac,
            source=ip_address(str(source)),
            is_tls=is_tls,
            target=target,
            method=method,
            credentials=parse_authorization(header),
            certificate_mac=certificate_mac,
            certificate_problem=certificate_problem,
            token=token,
        )

    def judge(self, evidence: Evidence) -> Verdict:
        return self.gate.judge(evidence, self.subject, now=self.now)

    def challenge(self, evidence: Evidence | None = None) -> str:
        return self.gate.challenges(evidence or self.evidence(), now=self.now)[0]
