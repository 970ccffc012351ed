"""Magic link: signs in by a mail instead of a password, through the same door and never past a second factor.

The link works in the browser that asked for it. Opened elsewhere it shows a code to type there. Looking spends
nothing, so mail scanners cannot use it up; the newest link only is good.

    POST /auth/magic-link          {email, remember?, next?}: 202 whether or not there is an account
    POST /auth/magic-link/redeem   {token} or {code}, from the same browser; answers as a sign-in
    GET, POST /login/link          the page behind the link, and what its button or the code's field sends
    GET, POST /login/link/ask      ask for a mail
"""
