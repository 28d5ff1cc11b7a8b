"""What a machine needs before the suites run; see `setup/environment`."""
