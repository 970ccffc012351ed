"""Keys: what an operator can see of them, and do with them by hand.

ostiary keys list      which keys there are, and which of them is in force
ostiary keys rotate    let the next key take over
ostiary keys retire    end a key at once
ostiary keys reseal    let another root secret seal the keyring

What the schedule does by itself is in `core/keys`.
"""
