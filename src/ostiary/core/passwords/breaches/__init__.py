"""Breached passwords: whether a new password is one that attackers already have.

`check.Breaches` is what `Passwords.judge` asks. Behind it stands a `Source`, or none (the default: nothing leaves the
machine unless an operator says so). `service` asks a range service by k-anonymity: 20 bits of a fingerprint go out, a
list comes back. `corpus` looks into a file or a folder of one's own, and nothing goes out.

A source that fails refuses nobody: the password is judged by the other rules, and the event `breach_check_failed` says
so. The check is one hurdle of several, and a foreign server must not be able to stop registrations.
"""
