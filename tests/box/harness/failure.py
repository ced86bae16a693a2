"""The two ways in which a transcript ends early."""


class Failure(Exception):
    """The realm did something else than the transcript says."""

    retriable = False

    def __init__(self, headline, *details):
        super().__init__(headline)
        self.headline = headline
        self.details = list(details)


class Mismatch(Failure):
    """An answer came, but another one than expected: `eventually` may ask again."""

    retriable = True


class Mistake(Exception):
    """The transcript itself is wrong: nothing can be said about the realm."""


def shortened(text, length_max=600):
    """A text that fits into a report, the middle of it left out if it is long."""
    if len(text) <= length_max:
        return text
    half = length_max // 2
    left_out = len(text) - 2 * half
    return f"{text[:half]} <- {left_out} more characters -> {text[-half:]}"
