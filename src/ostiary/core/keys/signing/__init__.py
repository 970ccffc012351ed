"""The keys that tokens are signed with: next → current → previous → retired.

The next key is published long before it signs anything, so whoever keeps a copy of the key set knows it in time; the
previous one is published for as long as something that it signed can be valid. Private keys are sealed by the ring,
and forgotten once they sign no more.
"""
