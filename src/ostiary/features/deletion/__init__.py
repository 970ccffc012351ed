"""Deletion: an account goes because its owner says so, after a grace in which signing in undoes it.

Asking needs a fresh sign-in. It ends every session, voids every sign-in that is under way, and tells every proven
address until when it can be undone. Whoever signs in before the account is gone keeps it, and is told that, too. When
the grace is over a worker deletes the account: every row that belongs to it goes, its addresses are free, and a last
mail says so. The journal keeps what happened and when, under the account's id, without anything about a person.

DELETE /auth/account     pages /account/delete, /account/delete/done
"""
