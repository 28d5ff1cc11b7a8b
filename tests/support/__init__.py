"""What the suites stand on: processes to start, and a judge of what they did."""
