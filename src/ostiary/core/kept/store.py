"""Owns what an owner is told of the core's own tables."""

from typing import Final

from ostiary.core.access.store import role_grant
from ostiary.core.accounts.store import account, identifier, password
from ostiary.core.api_keys.store import api_key
from ostiary.core.kept.tables import of_table
from ostiary.core.sessions.store import session
from ostiary.core.signin.store import factor_requirement
from ostiary.core.tokens.store import refresh_family

KEPT: Final = (
    of_table(
        "account",
        account,
        ("id", "status", "name", "profile", "locale", "created_at", "updated_at", "deletion_due_at"),
        of_account=account.c.id,
        documents=("profile",),
        is_one=True,
    ),
    of_table(
        "identifiers",
        identifier,
        ("kind", "shown", "is_primary", "verified_at", "created_at"),
        named={"shown": "value"},
    ),
    of_table("password", password, ("set_at", "disabled_at"), is_one=True),
    of_table("factor_required", factor_requirement, ("since",), is_one=True),
    of_table("roles", role_grant, ("role", "scope", "until", "granted_at")),
    of_table(
        "sessions",
        session,
        (
            "id", "created_at", "authenticated_at", "amr", "acr", "is_remembered", "last_seen_at", "expires_at",
            "ip", "user_agent", "device", "browser", "data", "ended_at", "ended_why",
        ),
        documents=("amr", "data"),
        in_parts=True,
    ),
    of_table(
        "refresh_families",
        refresh_family,
        ("id", "session_id", "client_id", "delivery", "scope", "created_at", "rotated_at", "expires_at", "ends_at"),
        of_account=session.c.account_id,
        in_parts=True,
    ),
    of_table(
        "api_keys",
        api_key,
        (
            "id", "name", "shown", "scopes", "networks", "created_at", "expires_at", "last_used_at", "revoked_at",
            "rotated_to",
        ),
        documents=("scopes", "networks"),
    ),
)  # fmt: skip
