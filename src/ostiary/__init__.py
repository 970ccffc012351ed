"""ostiary: the keeper of the door. Authentication and authorization for Python, embedded or stand-alone."""

__version__ = "0.1.0"
