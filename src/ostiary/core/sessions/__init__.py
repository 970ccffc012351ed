"""Sessions: made only by the sign-in door, resolved on every request, ended for good.

The cookie is ``id.secret``; the database holds only the secret's hash. Idle and absolute time-outs are both enforced
on the server; last-seen is written at most once a minute per session.
"""
