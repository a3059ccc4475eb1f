"""What keeps this side and an engine from agreeing on TLS: its certificate, this side's, or that one of both speaks none."""

import ssl

from docker.errors import TLSParameterError

from console.errors import EngineError, EngineForbidden, EngineUnreachable
from console.text import clean

_PLACE = "They are those of the docker context, else of DOCKER_CERT_PATH (ca.pem, cert.pem, key.pem)."
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")
"""OpenSSL's reasons where what answers is no TLS at all."""
_CLOSED = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionResetError, BrokenPipeError)
"""Whose certificate is refused learns it after the handshake (TLS 1.3), if the reason is not lost with the connection."""


def tls_failure(cause: BaseException, host: str) -> EngineError | None:
    """Return the error that a failure behind a call over TLS becomes; None where TLS has no part in it."""
    if isinstance(cause, _CLOSED):
        return _own_certificate_refused(host)
    if isinstance(cause, ssl.SSLError):
        return _ssl_failure(cause, host)
    # requests looks for the files before it connects.
    is_lost = isinstance(cause, OSError) and str(cause).startswith("Could not find the TLS")
    if is_lost or isinstance(cause, TLSParameterError):
        return EngineUnreachable(f"The certificates for the engine at {host} are not all there.", _PLACE)
    return None


def _ssl_failure(cause: ssl.SSLError, host: str) -> EngineError:
    reason = str(cause.reason or cause)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return EngineUnreachable(
            f"The certificate of the engine at {host} is not accepted: {clean(cause.verify_message, 200).removesuffix('.')}.",
            f"It must name this host and be signed by the CA in ca.pem. {_PLACE}",
        )
    if "ALERT" in reason:
        return _own_certificate_refused(host, reason.partition("ALERT_")[2].replace("_", " ").lower())
    if reason in _NO_TLS:
        return EngineUnreachable(
            f"What answers at {host} does not speak TLS.",
            "Check the port: 2376 is usual with TLS, 2375 without. Without it, leave DOCKER_TLS_VERIFY, DOCKER_CERT_PATH and "
            "the context's certificates out.",
        )
    return EngineUnreachable(
        f"TLS with the engine at {host} failed: {clean(reason, 200)}.", f"Check the certificates. {_PLACE}"
    )


def _own_certificate_refused(host: str, alert: str = "") -> EngineError:
    reason = f" ({clean(alert, 100)})" if alert else ""
    return EngineForbidden(
        f"The engine at {host} ended the connection{reason}: it does not accept this side's certificate, or it restarts.",
        f"cert.pem and key.pem must be signed by the CA that dockerd has as --tlscacert. {_PLACE}",
    )
