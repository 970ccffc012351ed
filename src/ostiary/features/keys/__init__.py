"""Keys: the published set, and what an operator can see of keys and do with them by hand.

GET /oauth2/jwks       the public keys that tokens are checked with (hot)

ostiary keys list      which keys there are, and which of them is in force
ostiary keys rotate    let the next key take over
ostiary keys retire    end a key at once
ostiary keys import    take in a signing key of one's own
ostiary keys reseal    let another root secret seal the keyring

What the schedule does by itself is in `core/keys`.
"""
