"""The trained recogniser's parts: labels, words and windows, features, decoding, weights, backends."""
