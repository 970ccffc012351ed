"""A notes project in Django with ostiary at its door. Start it with `make notes-django`, and read `views.py` first."""
