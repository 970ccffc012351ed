"""Passwords: what a new one must be, how one is stored, and where the costly work runs.

`hasher.Passwords` is what features hold. Setting a password: `judge` judges it by the rules
(`protocols/password_rules`), asks `breaches` and refuses with every violation at once; `hash` normalises it
(NFC), mixes in the pepper, and has a scheme derive a digest; what is stored is one PHC string that names scheme, costs,
pepper key and salt. Signing in: `verify` derives again with what the string says and tells whether it matches
and whether it should be replaced; without a stored string it does the same work for nothing, so that an
unknown account takes as long as a known one.

Read `settings` (what an operator chooses), `phc` (the stored form), `schemes` (four functions and their
floors), `pepper`, `pool` (own threads, bounded queue), `hasher`, `calibration`. Longer than
`password_max_length` is refused before any of it (L28).
"""
