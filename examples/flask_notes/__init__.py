"""A notes application in Flask with ostiary at its door. Start it with `make notes-flask`, and read `app.py` first."""
