"""What several adapters read from a text: tokens, definitions of short forms."""
