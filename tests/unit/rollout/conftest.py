"""No deadline for properties: a busy machine is not a failure."""

from hypothesis import settings

settings.register_profile("rollout", deadline=None, max_examples=60)
settings.load_profile("rollout")
