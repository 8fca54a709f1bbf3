"""How the property tests of the engine run."""

from hypothesis import settings

# An example that takes long tells of a busy machine, not of a wrong rule.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
