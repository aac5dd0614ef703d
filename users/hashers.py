"""How passwords are hashed."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class PasswordHasher(Argon2PasswordHasher):
    """Argon2id with 19 MiB, two passes, one lane: the first of OWASP's recommendations."""

    memory_cost = 19_456
    time_cost = 2
    parallelism = 1
