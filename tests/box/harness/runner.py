"""Runs transcripts and box programs: options, one line each, the count, the exit code."""

import argparse
import concurrent.futures
import os
import signal
import sys
import threading
import time

from .failure import Failure, Mistake
from .play import Play

PRINTING = threading.Lock()


def options_of(description, arguments=None, with_files=False):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--binary", required=True, help="the realmgate program under test")
    parser.add_argument("--slow", type=float, default=1.0, metavar="F",
                        help="multiplies every bound of time (sanitizers, loaded machines)")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell every step")
    parser.add_argument("--keep", action="store_true", help="keep the data of what failed")
    if with_files:
        parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1,
                            help="transcripts at a time")
        parser.add_argument("--filter", default="", metavar="TEXT",
                            help="only files with TEXT in their name")
        parser.add_argument("files", nargs="*", help="transcripts (default: all beside chat.py)")
    return parser.parse_args(arguments)


def say(text):
    with PRINTING:
        print(text, flush=True)


def run_transcript(path, options):
    """Plays one file and prints its line; True if it passed."""
    began = time.monotonic()
    shown = os.path.relpath(path)
    problems = play_file(path, shown, options)
    took = f"{time.monotonic() - began:.1f} s"
    if not problems:
        say(f"ok    {shown} ({took})")
        return True
    say("\n".join([f"FAIL  {shown} ({took})", *[f"      {line}" for line in problems]]))
    return False


def play_file(path, shown, options):
    """The lines that tell what went wrong; none if all went well."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            text = file.read()
        tell = (lambda line: say(f"{shown}:{line.number}: {line.text[:160]}")) \
            if options.verbose else None
        play = Play(text, options.binary, options.slow, tell)
    except (OSError, UnicodeDecodeError, Mistake) as error:
        return [f"{shown}: {error}"]
    return play_out(play, shown, options.keep)


def play_out(play, shown, keep):
    problems = []
    try:
        play.run()
    except Failure as failure:
        problems = report(play, shown, failure.headline, failure.details)
        problems += [*play.crashed(), *play.log_tails()]
    except Mistake as mistake:
        problems = report(play, shown, f"the transcript is wrong: {mistake}", [])
    finally:
        keep = keep and bool(problems)
        play.discard(keep)
    if keep:
        problems.append(f"kept: {play.scratch}")
    return problems


def report(play, shown, headline, details):
    place = f"{shown}:{play.where()}" if play.where() else shown
    loops = ", ".join(f"${name} = {play.scope.texts[name]}" for name in ("i", "k")
                      if name in play.scope.texts)
    return [f"{place}: {headline}" + (f" (with {loops})" if loops else ""),
            *[f"  {line}" for line in details]]


def run_transcripts(description, folder, arguments=None):
    """The whole of chat.py."""
    options = options_of(description, arguments, with_files=True)
    end_on_sigterm()
    if not os.access(options.binary, os.X_OK):
        say(f"no program at {options.binary}")
        return 1
    files = options.files or sorted(os.path.join(folder, name) for name in os.listdir(folder)
                                    if name.endswith(".chat"))
    files = [path for path in files if options.filter in os.path.basename(path)]
    with concurrent.futures.ThreadPoolExecutor(max(1, options.jobs)) as pool:
        verdicts = list(pool.map(lambda path: run_transcript(path, options), files))
    return count(verdicts)


def run_checks(description, checks, jobs=1):
    """The whole of a box program: each check is (name, function(options)), and may fail."""
    options = options_of(description)
    end_on_sigterm()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        return count(list(pool.map(lambda check: run_check(*check, options), checks)))


def run_check(name, check, options):
    began = time.monotonic()
    try:
        remark = check(options)
    except (Failure, Mistake) as failure:
        details = getattr(failure, "details", [])
        say("\n".join([f"FAIL  {name}", f"      {failure}",
                       *[f"      {line}" for line in details]]))
        return False
    say(f"ok    {name} ({time.monotonic() - began:.1f} s{', ' + remark if remark else ''})")
    return True


def count(verdicts):
    passed = sum(verdicts)
    say(f"{passed} passed, {len(verdicts) - passed} failed")
    return 0 if passed == len(verdicts) and verdicts else 1


def end_on_sigterm():
    """So that a harness that is stopped ends its realms too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
