"""The steps of the check; each is a function of a Context."""
