"""The one kind of failure that a user of this command sees."""


class PublishError(Exception):
    """Publishing cannot go on. The text says why and what to do, and holds no secret."""
