"""E-mail addresses: an account has several; one is primary, and every proven one identifies the account at sign-in.

Adding one is a wish that is kept apart until whoever is signed in to this very account has proven the address, by the
link or the code from a mail. Until then it belongs to nobody and stands in nobody's way; it expires with its link. For
an address that somebody has, the same is said and the same work done; its owner is told. What changes an account's
addresses needs a fresh sign-in, and every proven address is told.

GET  /auth/emails                 POST /auth/emails {email}             POST /auth/emails/verify {token}
POST /auth/emails/{id}/verify     POST /auth/emails/{id}/resend         POST /auth/emails/{id}/primary
DELETE /auth/emails/{id}          pages below /account/emails
"""
