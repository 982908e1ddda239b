"""A certificate of one's own, made when it is asked for and known to nobody else.

Clients have no reason to trust it: its fingerprint, which the server prints, is what they can
compare. Nothing is written to a file that outlives the call.
"""

import datetime
import hashlib
import ipaddress
import os
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

__all__ = ["fingerprint_of", "server_context"]

_VALID_DAYS = 30


def server_context(host: str) -> tuple[ssl.SSLContext, str]:
    """TLS for a server that is called `host` (a name or an address), with a fresh certificate, and
    that certificate's fingerprint."""
    certificate, key = _made(host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # ssl reads certificates from files only: one in memory, that no other process can open
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, key + certificate)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return context, fingerprint_of(ssl.PEM_cert_to_DER_cert(certificate.decode()))


def fingerprint_of(certificate_der: bytes) -> str:
    """SHA-256 of a certificate, as browsers and openssl show it."""
    return hashlib.sha256(certificate_der).digest().hex(":").upper()


def _made(host: str) -> tuple[bytes, bytes]:
    """Certificate and key, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host[:64])])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=_VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(pem), private


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
