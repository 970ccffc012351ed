"""TOTP: a second step by codes from an authenticator app (RFC 6238), any number of apps to an account.

An enrolment waits, at most ten minutes, until a code shows that the app has the secret. A code works once: the step
that it belongs to is compared and swapped in the change that uses it. Where the first app brings backup codes along
and the last one takes them away is `core/signin/factors.py`, which is the same for every factor.

POST   /auth/mfa/totp               {id, secret, uri, qr_svg}: begin
POST   /auth/mfa/totp/{id}/confirm  {backup_codes}: the code from the app makes it count
DELETE /auth/mfa/totp/{id}          remove one
"""
