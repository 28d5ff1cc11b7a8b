"""Commands that are run: logged whole, said nothing about unless they fail."""

import re
import subprocess

from .errors import CommandFailed, EnvironmentFailure

# As apt and pip mark them.
MARKED = re.compile(r"(?:E|ERROR): (?P<reason>.+)")


def run(command, log, on_line=None, **options):
    """Run `command`, append its output to the file `log` and return it.

    A command that goes on after a builder that was killed holds the builder's lock,
    which it inherits: the next build waits for it.

    :param on_line: called with each line as it comes, to show progress
    :param options: passed to `subprocess.Popen`
    :raises CommandFailed: it ended with an error
    :raises EnvironmentFailure: there is no such command
    """
    command = [str(part) for part in command]
    log.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    with log.open("a", encoding="utf-8") as stream:
        stream.write(f"$ {' '.join(command)}\n")
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                **{"close_fds": False, **options},
            )
        except FileNotFoundError:
            raise EnvironmentFailure(f"The command {command[0]} is missing.") from None
        with process:
            try:
                for line in process.stdout:
                    stream.write(line)
                    lines.append(line.rstrip("\n"))
                    if on_line:
                        on_line(lines[-1])
            except BaseException:
                process.terminate()
                raise
    if process.returncode:
        raise CommandFailed(command[0], cause(lines, process.returncode), log)
    return "\n".join(lines)


def cause(lines, code):
    """What a command that failed gave as the reason.

    The first line that it marked as an error, for the last ones are often consequences;
    of a command that marks none, the last line.

    >>> cause(["E: Failed to fetch it.", "E: Some files failed to download."], 100)
    'Failed to fetch it'
    >>> cause(["reading", "no space left", ""], 1)
    'no space left'
    >>> cause([], 3)
    'exit code 3'
    """
    said = [line.strip() for line in lines if line.strip()]
    for line in said:
        if match := MARKED.match(line):
            return match["reason"].rstrip(".")
    return said[-1].rstrip(".") if said else f"exit code {code}"
