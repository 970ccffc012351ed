"""My sessions: everyone sees where they are signed in, and ends what they do not know.

GET    /auth/sessions                 device, browser, address, first and last seen; which one is this
DELETE /auth/sessions/{id}            end one; somebody else's id is 404
POST   /auth/sessions/revoke-others   end all but this one

GET       /account/sessions             the same as a page
GET, POST /account/sessions/{id}/end    ask, and end one
GET, POST /account/sessions/end-others  ask, and end all but this one
"""
