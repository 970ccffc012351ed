"""Risk: looks at every sign-in whose proofs are right, and says what is unusual about it.

A new device, a new country, a journey nobody makes, an hour at which nobody ever came, failures before the success, a
network on the operator's list, a password from a breach: each is one small function that explains itself. What is done
about each is a setting: nothing, a mail, two factors now, or nobody is let in. The strictest decides, at the one door.

No routes: the door asks, the event `suspicious_login` says what was found, and alerts tell the account's owner.

    ostiary risk explain EMAIL --from ADDRESS     what would be unusual there now
"""
