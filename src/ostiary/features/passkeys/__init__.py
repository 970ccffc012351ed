"""Passkeys (WebAuthn level 3): sign in without typing a name, or answer with one as the second step.

A challenge is not stored: it *is* sealed state – ceremony, account, browser, expiry – that the browser's signed answer
brings back, and the change that uses it claims its id, so it works once (`challenge.py`). The steps of the standard are
in `protocols/webauthn`; what a right answer is worth is decided in `way.py` and `factor.py`: with its owner verified a
passkey is two factors at once, and alone it must be. One can also be made while registering (`joining.py`), and at the
door where a second factor is required (`enrolling.py`).

POST   /auth/passkeys/register/options   options for navigator.credentials.create; wants a fresh sign-in
POST   /auth/passkeys/register           {response, name?} → the passkey, and backup codes with the first factor
POST   /auth/passkeys/login/options      options for navigator.credentials.get; names nobody
POST   /auth/passkeys/login              {response} → as POST /auth/login
GET    /auth/passkeys                    one's own; PATCH and DELETE /auth/passkeys/{id} rename and remove one
"""
