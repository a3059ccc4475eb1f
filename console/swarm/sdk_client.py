"""An engine over TCP, asked with the docker SDK: it knows certificates, proxies, and what else lies on the way."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Literal, cast

import requests
import urllib3
from docker import APIClient
from docker.errors import APIError, DockerException
from docker.tls import TLSConfig
from docker.utils import kwargs_from_env

from console.swarm.contexts import Certificates
from console.swarm.engine_client import (
    PART_BYTES,
    VERSION_HEADER,
    EngineClient,
    ErrorReply,
    EventStream,
    read_body,
)


class SdkClient(EngineClient):
    """Asks the engine at a TCP address through the SDK."""

    def __init__(self, address: str, tls: TLSConfig | Literal[False], version: str, timeout_s: float) -> None:
        super().__init__(version)
        self._timeout_s = timeout_s
        with _as_plain_errors():
            # Given a version, it does not ask for one.
            self._sdk = _Client(
                base_url=address, version=version or "1.25", timeout=max(1, round(timeout_s)), tls=tls
            )

    def call(self, method: str, path: str, body: bytes | None, content_type: str) -> tuple[bytes, str]:
        headers = {"Content-Type": content_type} if content_type else {}
        url = f"{self._sdk.base_url}{path}"
        with (
            _as_plain_errors(),
            self._sdk.request(
                method, url, data=body, headers=headers, timeout=self._sdk.timeout, stream=True
            ) as answer,
        ):
            content = read_body(answer.iter_content(PART_BYTES), self._timeout_s)
        if answer.status_code >= 400:
            raise ErrorReply.of(answer.status_code, content)
        return content, answer.headers.get(VERSION_HEADER, "")

    def events(self, since: str, filters: Mapping[str, list[str]]) -> EventStream:
        # The SDK's types know moments as whole seconds only.
        listen = cast("Any", self._sdk.events)
        with _as_plain_errors():
            return _SdkEvents(listen(since=since, filters=dict(filters), decode=True))

    def close(self) -> None:
        self._sdk.close()


class _SdkEvents:
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        try:
            with _as_plain_errors():
                yield from self._stream
        finally:
            # The response holds the socket also after the stream was shut.
            self._stream._response.close()  # noqa: SLF001 - the SDK keeps no other way to it

    def close(self) -> None:
        with suppress(DockerException, OSError):
            self._stream.close()


class _Client(APIClient):
    """The SDK's client, which trusts the CA that it was given, whatever the environment says (`REQUESTS_CA_BUNDLE`)."""

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Return what a call goes by: the environment may name a proxy, and never another CA."""
        own = self.verify if verify is None else verify
        return super().merge_environment_settings(url, proxies, stream, own, cert)


def tls_config(certificates: Certificates | None) -> TLSConfig | Literal[False]:
    """Return what the SDK takes for certificates, for those that the environment names where none are given.

    Raises OSError where one of their files is not there.
    """
    with _as_plain_errors():
        if certificates is None:
            found: TLSConfig | Literal[False] = kwargs_from_env().get("tls") or False
        else:
            own = (certificates.certificate, certificates.key)
            found = TLSConfig(
                client_cert=own if all(own) else None,  # type: ignore[arg-type] # both are there
                ca_cert=certificates.ca,
                verify=certificates.is_verified,
            )
    if found and not found.verify:
        # Who chose it need not be warned at each call.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return found


@contextmanager
def _as_plain_errors() -> Iterator[None]:
    """Raise what the SDK raises as every client of an engine does."""
    try:
        yield
    except APIError as error:
        raise ErrorReply(int(error.status_code or 0), str(error.explanation or "")) from error
    except requests.Timeout as error:
        raise TimeoutError(str(error)) from error
    except DockerException as error:
        raise OSError(str(error)) from error
