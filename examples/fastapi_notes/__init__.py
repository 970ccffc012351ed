"""A notes application with ostiary at its door. Start it with `make notes`, and read `app.py` first."""
