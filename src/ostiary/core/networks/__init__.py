"""Networks: from which addresses and countries ostiary may be used, by everybody, by administrators, by roles.

`rules` judges, purely; `networks.Networks` knows which rules concern whom, and turns away whom they refuse; `told`
keeps the journal from being flooded by that.
"""
