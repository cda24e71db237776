"""What can go wrong, by what the caller must do about it.

StreamError            one sentence for the operator; exit status 1
    ConfigError        wrong settings, files or credentials: do not restart, fix; exit status 2
"""


class StreamError(Exception):
    """A failure that ends the command; its text is all that the operator needs to read."""

    exit_status = 1


class ConfigError(StreamError):
    """A setting, file or credential is wrong. A restart would fail the same way."""

    exit_status = 2
