"""Places: where in the world an address is, as far as a file of the operator's knows. Nothing is asked of anybody.

`places.Places` answers; `atlas` reads the file (MaxMind's format), `watch` takes a new one that was renamed over it.
"""
