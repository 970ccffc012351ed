"""Alerts: a mail when somebody signs in from a browser or device that the account does not know.

Its link says "this was not me": it needs no sign-in, works once, and shuts the account for everybody but whoever reads
that mail. Sessions and tokens end, the password works no more, and a link to choose a new one is mailed. Looking at
the page changes nothing, so mail scanners shut nobody out.

    POST /auth/not-me       {token}: the same for front ends
    GET, POST /not-me       the page behind the link, and its button
"""
