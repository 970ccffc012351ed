"""ostiary among the commands of `manage.py`."""
