"""The ground floor: clock and chance, errors, secrets, principal, settings, events.

Nothing here performs I/O, knows SQL or loads a web framework; everything above may import it.
"""
