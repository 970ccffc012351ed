"""A notes application in Starlette with ostiary around it. Start it with `make notes-starlette`, and read `app.py`."""
