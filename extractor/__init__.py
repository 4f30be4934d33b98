"""Life-science documents in, governed Delta tables out.

Importing this package loads the standard library only; heavy libraries load
where they are used.
"""

__version__ = "0.1.0"
