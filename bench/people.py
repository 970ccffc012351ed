"""Owns the accounts that the load signs in with: registered, verified and signed in through the API, as people do."""

import http.client
import json
import re
import time
from dataclasses import dataclass
from typing import Any, Final

PASSWORD: Final = "quiet harbour seventeen lanterns"
_PATIENCE: Final = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said."""

    status: int
    cookies: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


class Browser:
    """Sends single requests; keeps nothing.

    Args:
        port: On the loopback address.
    """

    def __init__(self, port: int) -> None:
        self._port = port

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        """Send a GET."""
        return self._send("GET", path, None, headers or {})

    def post(self, path: str, body: dict[str, object], headers: dict[str, str] | None = None) -> Answer:
        """Send JSON.

        Raises:
            RuntimeError: the answer is no success.
        """
        answer = self._send(
            "POST", path, json.dumps(body), {"Content-Type": "application/json", **(headers or {})}
        )
        if answer.status >= 300:
            raise RuntimeError(f"POST {path}: {answer.status} {answer.body.decode(errors='replace')}")
        return answer

    def _send(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            pairs = [
                value.partition(";")[0].split("=", 1) for value in response.headers.get_all("set-cookie", [])
            ]
            return Answer(response.status, dict(pairs), response.read())
        finally:
            connection.close()


def sign_up(port: int, address: str) -> None:
    """Make an account whose address is proven."""
    browser = Browser(port)
    browser.post("/auth/register", {"email": address, "password": PASSWORD})
    browser.post("/auth/email/verify", {"token": _token(browser, address)})


def _token(browser: Browser, address: str) -> str:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        for mail in browser.get("/dev/mailbox.json").json():
            if mail["to"] == address and (found := re.search(r"[?&]token=([\w-]+)", mail["text"])):
                return found[1]
        time.sleep(0.02)
    raise RuntimeError(f"no mail came to {address}")


def sign_in(port: int, address: str) -> str:
    """Sign in.

    Returns:
        The Cookie header of the browser from then on.
    """
    answer = Browser(port).post("/auth/login", credentials(address))
    return "; ".join(f"{name}={value}" for name, value in answer.cookies.items())


def credentials(address: str) -> dict[str, object]:
    """The body of a sign-in."""
    return {"identifier": address, "password": PASSWORD}
