"""The whole journey of a campaign, as a marketer makes it, with the figures at its end.

python -m tests.demo --recipients 10000 --workers 4
"""
