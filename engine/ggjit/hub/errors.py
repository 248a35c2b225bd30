"""What can go wrong on the way to a file."""


class FetchError(OSError):
    """A model could not be brought here; `str` says what failed and what to do instead."""


LOCAL_FILE_HINT = "without a network, name a GGUF file of your own with -m FILE"
