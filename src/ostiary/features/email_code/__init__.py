"""Second factor by mail: a six-digit code to the account's own address, for those who cannot have an app.

Off unless `email_code` is set: a mailbox is often open to whoever resets passwords through it, and NIST does not count
it. It never follows a proof by the same mailbox. A code belongs to the one sign-in that asked for it.

    POST /auth/mfa/email-code           mail a code, to switch it on
    POST /auth/mfa/email-code/confirm   {code}: from now on signing in takes one
    DELETE /auth/mfa/email-code         switch it off
"""
