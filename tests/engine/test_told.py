"""Who is told of what: a change of credentials goes to every proven address of its account (S-A18)."""

from pathlib import Path

from ostiary.engine.features import RIBS
from ostiary.engine.wire import event_types
from ostiary.testing import Kit, running
from tests.core.signin.stage import account_id
from tests.features.password.stage import add_address
from tests.features.totp.stage import enrolled
from tests.security.stage import drained

ANNA, SECOND = "anna@example.com", "anna@work.example.com"

# Whatever lets somebody in, or shuts somebody out: an intruder changes these, and may hold one of the addresses.
CREDENTIALS = {
    "password_changed", "password_reset", "factor_added", "factor_removed", "factors_reset", "backup_codes_replaced",
    "backup_code_used", "passkey_cloned", "email_added", "email_removed", "primary_email_changed", "api_key_created",
    "api_key_rotated", "api_key_revoked", "sign_in_disowned", "account_exported", "account_deletion_undone",
    "account_deleted", "device_trusted",
}  # fmt: skip
# Of these the primary address alone hears.
AT_ONE_ADDRESS = {
    "account_locked": "a stranger can cause it: how many addresses there are would show in the work that is done",
    "password_disabled": "a stranger can cause it, too",
    "refresh_token_reused": "changes nothing that anybody could use: the session ends",
}
# Their mails have links of their own for each address, so that no notice is sent.
BY_OTHERS = {"suspicious_login", "account_deletion_requested"}


def test_every_change_of_credentials_is_told_at_every_address() -> None:
    """Whoever adds an event that tells the owner says at every address, or here why not."""
    types = {one.name: one for one in event_types(RIBS)}
    assert {*CREDENTIALS, *AT_ONE_ADDRESS, *BY_OTHERS} <= types.keys()
    assert [
        name for name in CREDENTIALS if not (types[name].tell_owner and types[name].at_every_address)
    ] == []
    told_once = {name for name, one in types.items() if one.tell_owner and not one.at_every_address}
    assert told_once == AT_ONE_ADDRESS.keys()
    assert not [name for name in BY_OTHERS if types[name].tell_owner]


async def subjects(kit: Kit, address: str) -> set[str]:
    await drained(kit)
    return {mail["subject"] for mail in kit.mailbox.messages() if mail["to"] == address}


async def test_both_addresses_hear(tmp_path: Path) -> None:
    """Keys, codes and factors of an account are told at both of its proven addresses, and never at an unproven one."""
    async with running(tmp_path) as kit:
        anna = await kit.signed_in(ANNA)
        owner = await account_id(kit, ANNA)
        await add_address(kit, owner, SECOND, verified_at=2)
        await add_address(kit, owner, "unproven@example.com", verified_at=None)
        before = await subjects(kit, ANNA)
        await enrolled(kit, anna)
        key = await anna.post("/auth/api-keys", json={"name": "shop"})
        (await anna.post(f"/auth/api-keys/{key.json()['id']}/rotate")).raise_for_status()
        (await anna.delete(f"/auth/api-keys/{key.json()['id']}")).raise_for_status()
        (await anna.post("/auth/mfa/backup-codes")).raise_for_status()
        heard = await subjects(kit, SECOND)
        assert heard == await subjects(kit, ANNA) - before
        assert len(heard) == 5, heard
        assert await subjects(kit, "unproven@example.com") == set()
