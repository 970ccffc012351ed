"""Verification: the owner of an address proves it, by a link (24 h) or a six-digit code (10 min) from one mail.

Following the link spends nothing; only the POST behind its button does, so mail scanners cannot use it up. Proving an
address never signs in.

    POST /auth/email/verify   {token} or {email, code}
    POST /auth/email/resend   {email}: 202 whether or not there is anything to resend
    GET  /signup/check        look for the mail, or type its code
    GET, POST /verify         the page behind the link, and what its button and the code's field send; then /verify/done
    GET, POST /verify/resend  ask for another mail
"""
