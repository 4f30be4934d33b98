"""What adds meaning to mentions: section, assertion, spread of abbreviations, language."""
