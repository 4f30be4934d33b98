"""Governance: classification, consent, inventory and policy as pure rules, without storage."""
