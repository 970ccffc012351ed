"""A Flask application for servers with several workers: it says which process answers, and to whom."""

import os

from flask import Flask

from ostiary.integrations.flask import Ostiary, current_user, signed_in

auth = Ostiary.from_env()
app = Flask(__name__)
auth.init_app(app)
if "STARTS_EARLY" in os.environ:
    auth.start()  # in the server's master, if that loads the application


@app.get("/")
def home() -> str:
    """Anybody's."""
    return "home"


@app.get("/who")
@signed_in
def who() -> dict[str, object]:
    """Which process, and who asks."""
    return {"process": os.getpid(), "email": current_user.email}
