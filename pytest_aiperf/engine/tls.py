"""PYTEST_DONT_REWRITE. Whom an https run trusts, and what to say when TLS does not come about.

Imported for https only: `ssl` takes a while to import, and the system's authorities take longer to load.
"""

from __future__ import annotations

import os
import ssl
from typing import Final

from pytest_aiperf.common.errors import ConfigurationError
from pytest_aiperf.engine.plan import LoadPlan
from pytest_aiperf.engine.transport import Failure

_ALERT: Final = "ALERT_"
_TRUST_IT: Final = (
    "give the authority that signed it with --aiperf-ca-file, "
    "or accept any certificate with --aiperf-insecure"
)
_OWN_CERTIFICATE: Final = "; give a client certificate that it trusts with --aiperf-client-certificate"
_NOTHING_IN_COMMON: Final = (
    "; it has no cipher in common with this client, "
    "or wants a client certificate (--aiperf-client-certificate)"
)


def new_context(plan: LoadPlan) -> ssl.SSLContext:
    """Return the context of a plan: certificates and host names are verified unless it is `insecure`.

    The authorities are those of `ca_file`, else the system's (SSL_CERT_FILE and SSL_CERT_DIR name others).

    Raises:
        ConfigurationError: a file cannot be read, is not PEM, or the key does not belong to the certificate.
    """
    if plan.insecure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context = _verifying_context(plan.ca_file)
    context.set_alpn_protocols(["http/1.1"])
    if plan.client_certificate is not None:
        _load_own_certificate(context, plan.client_certificate, plan.client_key)
    elif plan.client_key is not None:
        raise ConfigurationError(
            f"client_key {plan.client_key!r} is given without a client_certificate; give both, or none"
        )
    return context


def _verifying_context(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as error:
        raise ConfigurationError(
            f"ca_file {ca_file!r} holds no certificate in PEM form ({_words(error)})"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"ca_file {ca_file!r} cannot be read: {error.strerror}") from None


def _load_own_certificate(context: ssl.SSLContext, certificate: str, key: str | None) -> None:
    for name, path in (("client_certificate", certificate), ("client_key", key)):
        if path is not None and not os.access(path, os.R_OK):
            reason = "cannot be read" if os.path.exists(path) else "does not exist"
            raise ConfigurationError(f"{name} {path!r} {reason}")

    def locked() -> str:  # else OpenSSL would ask on the terminal, and wait
        raise ConfigurationError(
            f"the key in {key or certificate!r} is encrypted; give one without a passphrase"
        )

    try:
        context.load_cert_chain(certificate, key, locked)
    except OSError as error:
        reason = _words(error) if isinstance(error, ssl.SSLError) else str(error)
        where = repr(certificate) + (f" with client_key {key!r}" if key is not None else "")
        raise ConfigurationError(
            f"client_certificate {where} cannot be used ({reason}): a certificate and the key that belongs to it "
            "are needed, in PEM form"
        ) from None


def why_no_handshake(error: ssl.SSLError, origin: str) -> Failure:
    """Return why no TLS connection to `origin` (``https://host:port``) came about, and what to do about it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Failure(
            "tls", f"the certificate of {origin} is not trusted: {error.verify_message}; {_TRUST_IT}"
        )
    if _is_alert(error):
        return Failure("tls", f"{origin} refused the TLS handshake: {_words(error)}{_advice(error)}")
    return Failure("tls", f"the TLS handshake with {origin} failed: {_words(error)}")


def why_broken_off(error: ssl.SSLError, *, answering: bool) -> Failure:
    """Return why a connection that was up cannot be read any further."""
    when = "in the middle of its answer" if answering else "before the head of its answer was complete"
    if _is_alert(error):
        return Failure(
            "reset", f"the server ended the TLS connection {when}: {_words(error)}{_advice(error)}"
        )
    return Failure("protocol", f"the server sent what is not valid TLS {when}: {_words(error)}")


def not_tls(data: bytes, origin: str) -> Failure:
    """Return what to say of a server that answers a TLS greeting in clear text."""
    http = origin.replace("https:", "http:", 1)
    return Failure("tls", f"{origin} does not speak TLS, its answer begins with {data!r}; is it {http}?")


def _is_alert(error: ssl.SSLError) -> bool:
    return _ALERT in (error.reason or "") or error.reason == "TLSV1_UNRECOGNIZED_NAME"


def _words(error: ssl.SSLError) -> str:
    """``SSLV3_ALERT_HANDSHAKE_FAILURE`` says ``alert handshake failure``."""
    reason = error.reason or str(error)
    _, found, alert = reason.partition(_ALERT)
    return f"alert {alert.replace('_', ' ').lower()}" if found else reason.replace("_", " ").lower()


def _advice(error: ssl.SSLError) -> str:
    reason = error.reason or ""
    if "HANDSHAKE_FAILURE" in reason:
        return _NOTHING_IN_COMMON
    return _OWN_CERTIFICATE if "CERTIFICATE" in reason or "UNKNOWN_CA" in reason else ""
