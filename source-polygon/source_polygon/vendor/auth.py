"""The API key, sent in the Authorization header and only to the configured address."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from airbyte_cdk.sources.declarative.auth.declarative_authenticator import DeclarativeAuthenticator

from source_polygon.errors import system_error


@dataclass
class OriginBoundBearer(DeclarativeAuthenticator):
    """Adds the key to requests for the origin of `base_url`, and refuses every other request.

    A redirect is not followed either: its Location header is removed, so that the answer is
    judged by its 3xx status.
    """

    config: Mapping[str, Any]

    @property
    def auth_header(self) -> str:
        """Name of the header that carries the key."""
        return "Authorization"

    @property
    def token(self) -> str:
        """Value of that header."""
        return f"Bearer {self.config['api_key']}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the key to `request`.

        Raises:
            AirbyteTracedException: the request is for another origin.
        """
        if origin(request.url or "") != origin(self.config["base_url"]):
            raise system_error(
                "Refused to send the API key to an address other than base_url.",
                f"Foreign origin {origin(request.url or '')!r}.",
            )
        request.headers[self.auth_header] = self.token
        request.hooks["response"] = [_stay]
        return request

    def get_request_params(self) -> Mapping[str, Any]:
        """Return nothing: the key never goes into a URL."""
        return {}

    def get_request_body_data(self) -> Mapping[str, Any]:
        """Return nothing: the key never goes into a body."""
        return {}

    def get_request_body_json(self) -> Mapping[str, Any]:
        """Return nothing: the key never goes into a body."""
        return {}


def origin(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of `url`, with the scheme's own port where none is given."""
    parts = urlsplit(url)
    port = parts.port  # 0 is a port, if one that nobody can connect to
    if port is None:
        port = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), port


def _stay(response: requests.Response, **_: Any) -> None:
    response.headers.pop("location", None)
