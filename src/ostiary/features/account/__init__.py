"""The account: who am I, how I sign in, and the frame in which other ribs put their own pages.

A rib contributes an `AccountSection` through its manifest; it then stands in the navigation and on the overview.

GET  /account            who am I, when did I sign in and how, what else is there
GET  /account/security   ways to sign in, and recent sign-ins
"""
