"""The command line in a process that starts quickly: workers begin without the libraries that plain text does not need."""

from extractor import isolation
from extractor.cli import main

if __name__ == "__main__":
    isolation._PRELOAD = []
    main()
