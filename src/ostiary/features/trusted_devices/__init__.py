"""Trusted devices: whoever has taken both steps in a browser may be spared the second one there for some time.

GET    /auth/trusted-devices        device, browser, address, since and until when, last used; which one is this
DELETE /auth/trusted-devices/{id}   forget one; somebody else's id is 404
DELETE /auth/trusted-devices        forget all

GET       /account/trusted-devices              the same as a page
GET, POST /account/trusted-devices/{id}/forget  ask, and forget one
GET, POST /account/trusted-devices/forget-all   ask, and forget all

Trust is asked for at the door (`trust_device`), and judged there: `core/signin/trust.py`.
"""
