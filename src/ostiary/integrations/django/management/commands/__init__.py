"""The commands of `manage.py`; there is one, with all of ostiary's inside."""
