"""Commands that are run: logged whole, said nothing about unless they fail."""

import subprocess

from .errors import CommandFailed, EnvironmentFailure


def run(command, log, on_line=None, **options):
    """Run `command`, append its output to the file `log` and return it.

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
                **options,
            )
        except FileNotFoundError:
            raise EnvironmentFailure(f"The command {command[0]} is missing.") from None
        with process:
            for line in process.stdout:
                stream.write(line)
                lines.append(line.rstrip("\n"))
                if on_line:
                    on_line(lines[-1])
    if process.returncode:
        said = [line.strip() for line in lines if line.strip()]
        last_line = said[-1] if said else f"exit code {process.returncode}"
        raise CommandFailed(command[0], last_line, log)
    return "\n".join(lines)
