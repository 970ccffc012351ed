"""The first administrator: a link that is printed once and used once; there are no default accounts (L27).

While nobody is administrator, every start prints a fresh link (30 min, the newest only). Whoever opens it, is signed in
and presses the button becomes administrator. `ostiary claim` prints one at any time: who can run it has the database.

    POST /auth/claim   {token}; needs a session
    GET, POST /claim   the page behind the link
"""
