"""Docker contexts: engines that `docker context create` keeps on disk under a name, with their certificates.

They are read as the docker command reads them. The docker SDK looks into the working directory where there is no
`config.json`, which `docker context create` does not write, and takes no CA without a client's certificate beside it.
"""

import json
import os
from pathlib import Path
from typing import Literal

from console.errors import UsageError
from console.frozen import frozen
from console.host.root import under_root
from console.text import clean

LOCAL = f"unix://{under_root('/var/run/docker.sock')}"
"""The engine of this host, which the context `default` names too."""
_LIST = "`docker context ls` lists them. "
_STORE = "~/.docker"


@frozen
class Certificates:
    """The files that TLS with an engine goes by; None where there is none. `is_verified`: the engine's own must be signed by `ca`."""

    ca: str | None
    certificate: str | None
    key: str | None
    is_verified: bool = True


@frozen
class EngineAddress:
    """Where an engine is, and what is shown and wanted there."""

    host: str
    certificates: Certificates | Literal[False] | None = None
    """Those of a docker context, False where it has none; None: those that the environment names, for tcp."""


def context_address(name: str) -> EngineAddress:
    """Return where the engine is that a docker context names, and its certificates. Raises UsageError."""
    if name == "default":
        return EngineAddress(LOCAL)
    from hashlib import sha256  # noqa: PLC0415 - few engines are named by a context

    key = sha256(name.encode()).hexdigest()
    try:
        store = Path(os.environ.get("DOCKER_CONFIG") or Path(_STORE).expanduser()) / "contexts"
        endpoint = json.loads((store / "meta" / key / "meta.json").read_bytes())["Endpoints"]["docker"]
        host = str(endpoint.get("Host") or "")
        certificates = _certificates(
            store / "tls" / key / "docker", is_verified=not endpoint.get("SkipTLSVerify")
        )
    except FileNotFoundError as error:
        raise UsageError(
            f"There is no docker context {clean(name)}.",
            f"{_LIST}They are those of the user that runs this, in {_STORE} or DOCKER_CONFIG.",
        ) from error
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"The docker context {clean(name)} cannot be read ({type(error).__name__}).",
            f"{_LIST}`docker context inspect {clean(name)}` shows what is wrong.",
        ) from error
    if not host:
        raise UsageError(
            f"The docker context {clean(name)} names no engine.", f"{_LIST}Create it with `--docker host=…`."
        )
    return EngineAddress(host, certificates)


def _certificates(folder: Path, *, is_verified: bool) -> Certificates | Literal[False]:
    """Return the certificates that lie in a folder, by the names that the docker command gives them."""
    ca, certificate, key = (
        str(path) if (path := folder / name).is_file() else None for name in ("ca.pem", "cert.pem", "key.pem")
    )
    if is_verified and not (ca or certificate or key):
        return False
    return Certificates(ca, certificate, key, is_verified)
