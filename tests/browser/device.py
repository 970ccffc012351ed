"""Owns a virtual authenticator of Chromium's."""

from typing import Any

from playwright.async_api import CDPSession, Page


class Device:
    """A virtual authenticator of Chromium's (WebDriver's, WebAuthn section 11)."""

    def __init__(self, session: CDPSession, device_id: str) -> None:
        self._session = session
        self._id = device_id

    @classmethod
    async def of(cls, page: Page, transport: str = "internal", *, verifies: bool = True) -> "Device":
        """Connect one to a tab; its owner always agrees."""
        session = await page.context.new_cdp_session(page)
        await session.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "ctap2Version": "ctap2_1",
            "transport": transport,
            "hasResidentKey": verifies,
            "hasUserVerification": verifies,
            "isUserVerified": verifies,
            "automaticPresenceSimulation": True,
        }
        added = await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        return cls(session, added["authenticatorId"])

    async def send(self, command: str, **given: Any) -> dict[str, Any]:
        """Have it do or be something else."""
        told: dict[str, Any] = await self._session.send(
            f"WebAuthn.{command}", {"authenticatorId": self._id, **given}
        )
        return told

    async def credentials(self) -> list[dict[str, Any]]:
        """What it keeps."""
        return list((await self.send("getCredentials"))["credentials"])

    async def remove(self) -> None:
        """Disconnect it."""
        await self.send("removeVirtualAuthenticator")
