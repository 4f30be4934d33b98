"""What a worker tells about itself: metrics, health, logs and traces; ids, codes and numbers only.

Each module loads its own library, this file none, so that whoever needs only
logs gets only logs. Settings come in as plain values.
"""
