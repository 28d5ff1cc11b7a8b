"""What the builder raises; `cli.main` is where everything ends up."""


class EnvironmentFailure(Exception):
    """Something is missing: the message is one sentence that names it.

    Caught by `cli.main`, which prints the sentence and nothing else: a traceback
    through the builder never told anybody what to install.
    """


class CommandFailed(EnvironmentFailure):
    """A command ended with an error: `cause` is what it said about it.

    Caught by the step that ran it wherever a better sentence is known.
    """

    def __init__(self, program, cause, log):
        self.cause = cause
        super().__init__(f"{program} failed: {cause} (all of it is in {log}).")
