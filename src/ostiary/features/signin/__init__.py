"""Signing in with a password, asking who one is, and signing out.

`password_way.py` turns an identifier and a password into a proof; the door in `core/signin` does the rest.

    POST /auth/login           a password, and perhaps a code → session cookie, or the factors that are still needed
    POST /auth/login/factor    a factor for a sign-in that waits
    POST /auth/login/enrol     begin to add a factor, for a sign-in that cannot go on without one
    GET  /auth/session         who am I (hot)
    POST /auth/logout          end this session, or all of them
    GET, POST /login           the same as pages; so are /login/factor, /login/enrol and /logout

    ostiary users unlock       end a lock, and enable the password that it disabled
"""
