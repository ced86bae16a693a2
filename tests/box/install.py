#!/usr/bin/env python3
"""What `cmake --install` leaves: program, unit, sample file and completion, each doing its work."""
# box-program

import os
import re
import shutil
import subprocess
import sys

from harness.failure import Failure
from harness.runner import run_checks
from harness.scratch import scratch_place

WANTED = {"program": r".*/bin/realmgate", "unit": r".*/lib/systemd/system/realmgate\.service",
          "sample": r".*/share/doc/realmgate/realmgate\.conf",
          "completion": r".*/share/bash-completion/completions/realmgate"}
# Of 100, where systemd calls up to 29 safe.
EXPOSURE_MAX = 20
# Words at the prompt, and what they are completed to; the last may be only begun.
COMPLETIONS = [
    (["se"], ["serve"]),
    (["user", ""], ["--help", "add", "list", "password", "remove"]),
    (["user", "add", "--o"], ["--operator"]),
    (["realm", "t"], ["trust"]),
    (["serve", "--log-format", ""], ["json", "text"]),
    (["serve", "--log", "w"], ["warn"]),
    (["serve", "--log", "=", "d"], ["debug"]),
    (["serve", "--accept", "="], ["any", "known"]),
    (["serve", "--registration", "o"], ["open"]),
    (["serve", "--retention", ""], ["forever"]),
    (["serve", "--config", "sam"], ["sample.conf"]),
    (["serve", "--data", "fol"], ["folder"]),
    (["serve", "--name", ""], []),
    (["nonsense", "--"], []),
]


def run(place, *arguments, **more):
    return subprocess.run(arguments, capture_output=True, text=True, check=False,
                          timeout=place.patience_s, env=place.environment, **more)


def output(place, *arguments, **more):
    done = run(place, *arguments, **more)
    if done.returncode != 0:
        raise Failure(f"{' '.join(arguments)}: exit code {done.returncode}",
                      *done.stdout.splitlines()[-20:], *done.stderr.splitlines()[-20:])
    return done.stdout


def installed(place):
    """Where each of the installed files is, and nothing else is there."""
    build = os.path.dirname(os.path.dirname(os.path.realpath(place.binary)))
    root = os.path.join(place.scratch, "root")
    output(place, "env", f"DESTDIR={root}", "cmake", "--install", build)
    paths = [os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names]
    found = {}
    for what, pattern in WANTED.items():
        found[what] = next((path for path in paths if re.fullmatch(pattern, path)), None)
    if None in found.values() or len(paths) != len(WANTED):
        raise Failure("other files are installed than expected", *sorted(paths))
    return found


def check_program(place, files):
    output(place, files["program"], "--version")
    for what, path in files.items():
        runs = os.access(path, os.X_OK)
        if runs != (what == "program"):
            raise Failure(f"{path} has the wrong mode")


def check_unit(place, files):
    """Sound and closed by systemd's own judgement, where there is a systemd."""
    with open(files["unit"], encoding="utf-8") as file:
        unit = file.read()
    start = re.search(r"^ExecStart=(\S*/bin/realmgate) serve --config (/\S+)$", unit, re.M)
    if not start or "@" in unit.replace("@system", "").replace("@privileged", ""):
        raise Failure("the unit does not start the installed program", *unit.split("\n"))
    if not files["program"].endswith(start[1]):
        raise Failure(f"the unit starts {start[1]}, installed is {files['program']}")
    if shutil.which("systemd-analyze") is None:
        return "no systemd here to judge the unit"
    path = os.path.join(place.scratch, "realmgate.service")
    with open(path, "w", encoding="utf-8") as file:
        file.write(unit.replace(start[1], files["program"]))
    said = run(place, "systemd-analyze", "verify", path)
    about = [line for line in (said.stdout + said.stderr).splitlines() if "realmgate" in line]
    if about:
        raise Failure("systemd does not like the unit", *about)
    output(place, "systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}",
           path)
    return "systemd likes the unit"


def effective(place, path):
    """What --check says of a file: option to value."""
    lines = output(place, "realmgate", "serve", "--config", path, "--check").splitlines()[1:]
    return {line[:23].strip(): re.sub(r"  \S+$", "", line[25:]).strip() for line in lines}


def check_sample(place, files):
    """The sample is sound as it is; what it says of the defaults in comments is the truth."""
    with open(files["sample"], encoding="utf-8") as file:
        text = file.read()
    whole = os.path.join(place.scratch, "whole.conf")
    with open(whole, "w", encoding="utf-8") as file:
        file.write(re.sub(r"^#(?=[a-z]|    [a-z])", "", text, flags=re.M))
    defaults, said = effective(place, files["sample"]), effective(place, whole)
    free = {"config", "advertise", "trust"}
    if defaults.keys() != said.keys() or len(said) < 26:
        raise Failure(f"options of the sample: {sorted(said)}, of the program: {sorted(defaults)}")
    for option in said.keys() - free:
        if said[option] != defaults[option]:
            raise Failure(f"the sample says {option} = {said[option]}, default {defaults[option]}")
    for option in free - {"config"}:
        if said[option] == defaults[option]:
            raise Failure(f"the sample shows no {option}")


def completed(place, files, words):
    script = 'source "$1"; shift; COMP_WORDS=(realmgate "$@"); COMP_CWORD=$#; ' \
             'previous=${COMP_WORDS[COMP_CWORD - 1]}; ' \
             '_realmgate realmgate "${COMP_WORDS[COMP_CWORD]}" "$previous"; ' \
             'printf "%s\\n" "${COMPREPLY[@]}"'
    said = output(place, "bash", "-c", script, "bash", files["completion"], *words,
                  cwd=place.scratch)
    return sorted(word for word in said.split("\n") if word)


def check_completion(place, files):
    """The words of the program's help, all of them, and the values that an option chooses from."""
    os.mkdir(os.path.join(place.scratch, "folder"))
    shutil.copy(files["sample"], os.path.join(place.scratch, "sample.conf"))
    for words, expected in COMPLETIONS:
        came = completed(place, files, words)
        if came != expected:
            raise Failure(f"completing {words}: {came}, expected {expected}")
    told = sorted(set(re.findall(r"^  (--[a-z-]+)", output(place, "realmgate", "serve", "--help"),
                                 re.M)))
    came = completed(place, files, ["serve", "--"])
    if came != told or len(told) < 28:
        raise Failure("serve: other options are completed than the help has", str(came), str(told))
    commands = set(re.findall(r"^  realmgate ([a-z]+)", output(place, "realmgate", "--help"), re.M))
    came = set(completed(place, files, [""])) - {"--help", "--version"}
    if came != commands or not {"serve", "user", "demo"} <= commands:
        raise Failure(f"other commands are completed than the help has: {came}, {commands}")


def play_install(options):
    with scratch_place(options) as place:
        files = installed(place)
        check_program(place, files)
        check_sample(place, files)
        check_completion(place, files)
        return check_unit(place, files)


if __name__ == "__main__":
    sys.exit(run_checks(__doc__, [("install", play_install)]))
