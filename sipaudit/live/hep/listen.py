"""Makes the source that listens at a URL such as `--hep udp://0.0.0.0:9060`."""

from __future__ import annotations

import socket
import ssl
from errno import EADDRNOTAVAIL
from typing import NamedTuple
from urllib.parse import urlsplit

from sipaudit.capture.bounds import FOR_FILES, CaptureBounds
from sipaudit.capture.hep import PORT
from sipaudit.errors import InputError, unreadable
from sipaudit.live.hep.connections import ConnectionSource
from sipaudit.live.hep.datagrams import DatagramSource

SCHEMES = ("udp", "tcp", "tls")

_BACKLOG = 64
_KEY_BYTES = 1 << 15
_ELSEWHERE = "name an address of this machine, or 0.0.0.0 for all"
_TAKEN = "is another collector listening there? see: ss -lnpu, ss -lnpt; choose another port"
_WRITE = "write udp://0.0.0.0:9060, tcp://[::]:9060 or tls://0.0.0.0:9061"


class Address(NamedTuple):
    """Where to listen: the scheme (udp, tcp or tls), the host as given, and the port."""

    scheme: str
    host: str
    port: int

    @property
    def name(self) -> str:
        """The name of the source in the report: `hep:9060`, `hep:9060/tcp`."""
        return f"hep:{self.port}" + ("" if self.scheme == "udp" else f"/{self.scheme}")


def hep_source(
    url: str, capture: int, *, key: str | None = None, cert: str | None = None, keyfile: str | None = None,
    bounds: CaptureBounds = FOR_FILES,
) -> DatagramSource | ConnectionSource:
    """A source (`live.ends.Source`) that listens at `url`, and whose items have the index `capture`.

    `key` is the password that agents must send (`--hep-key`), `cert` a PEM file with the certificate for tls and
    `keyfile` one with its private key, unless `cert` contains it.  The port is open once this returns, so it can be
    called before privileges are dropped.  Raises InputError for an invalid URL, a port that cannot be opened, a key
    that no packet could carry, and a certificate that is missing or cannot be used.
    """
    address = parse_url(url)
    secret = _secret(key)
    context = _tls(url, cert, keyfile) if address.scheme == "tls" else None
    listener = _opened(address, url)
    name = address._replace(port=listener.getsockname()[1]).name
    if address.scheme == "udp":
        return DatagramSource(listener, name, capture, secret, bounds=bounds)
    return ConnectionSource(listener, name, capture, secret, context, bounds=bounds)


def parse_url(url: str) -> Address:
    """Parse a URL. Raises InputError when it does not say where to listen, or says more."""
    try:
        parts = urlsplit(url)
        port = PORT if parts.port is None else parts.port
    except ValueError as error:
        raise InputError(f"--hep: {url!r} has no port that can be: {error}", fix=_WRITE) from error
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise InputError(f"--hep: {url!r} does not say where to listen", fix=_WRITE)
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None:
        raise InputError(f"--hep: {url!r} says more than where to listen", fix=_WRITE)
    return Address(parts.scheme, parts.hostname, port)


def _opened(address: Address, url: str) -> socket.socket:
    kind = socket.SOCK_DGRAM if address.scheme == "udp" else socket.SOCK_STREAM
    try:
        family, _, _, _, place = socket.getaddrinfo(address.host, address.port, type=kind, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family, kind)
    except OSError as error:
        raise InputError(f"--hep: {url!r} is no address here: {error.strerror}", fix=_ELSEWHERE) from error
    try:
        if kind == socket.SOCK_STREAM:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        if kind == socket.SOCK_STREAM:
            listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        fix = _ELSEWHERE if error.errno == EADDRNOTAVAIL else _TAKEN
        raise InputError(f"--hep: cannot listen at {url!r}: {error.strerror}", fix=fix) from error
    return listener


def _secret(key: str | None) -> bytes | None:
    if key is None:
        return None
    secret = key.encode("utf-8", "surrogateescape")
    if not 0 < len(secret) <= _KEY_BYTES:
        raise InputError("--hep-key is empty or longer than a packet", fix="give the password that the agents send")
    return secret


def _tls(url: str, cert: str | None, keyfile: str | None) -> ssl.SSLContext:
    if cert is None:
        fix = "add --hep-cert FILE and --hep-keyfile FILE (PEM)"
        raise InputError(f"--hep: {url!r} needs a certificate", fix=fix)
    for path in filter(None, (cert, keyfile)):
        try:
            with open(path, "rb"):  # noqa: PTH123 - ssl tells of a missing file without its name
                pass
        except OSError as error:
            raise unreadable(error, path, "check the path") from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(cert, keyfile, password=_no_password)
    except (OSError, ValueError) as error:
        fix = "--hep-cert must be a PEM certificate, --hep-keyfile its private key without a password"
        raise InputError(f"cannot be used for TLS: {error}", fix=fix, file=cert) from error
    return context


def _no_password() -> str:
    """Fail instead of letting OpenSSL prompt for a password at the terminal, where a service has nobody."""
    raise ValueError("the private key has a password")
