"""Readers of quotas, over real HTTP to servers on this machine."""
