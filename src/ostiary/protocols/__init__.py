"""Pure wire and rule knowledge: what standards say, with no I/O, no clock and no chance; `now` is an argument."""
