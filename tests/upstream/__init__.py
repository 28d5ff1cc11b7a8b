"""Other people's tests with our addons beside them: what passes without, passes."""
