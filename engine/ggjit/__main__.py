"""`python -m ggjit` is the command `ggjit`."""

from .cli import main

if __name__ == "__main__":
    main()
