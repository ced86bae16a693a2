"""A server under measurement: pinned to its cores, waited for, ended by its own process id."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time

from bench import Failure

START_S = 60
STOP_S = 8
POLL_S = 0.02
AGAIN_S = 0.2


class Server:
    """A peer or floor. A subclass knows its command line, its port and what is said to it."""

    name = "server"

    def __init__(self, bench, cores=None):
        self.bench = bench
        self.cores = cores or bench.server_core
        self.folder = bench.folder(self.name.replace(" ", "-"))
        self.processes = []
        self.port = self.other_port = None

    def start(self):
        raise NotImplementedError

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def spawn(self, words, port, folder=None, **environment):
        """Starts a program and waits until it listens."""
        folder = folder or self.folder
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
        if not shutil.which(words[0], path=path):
            raise Failure(f"{words[0]} is not installed (docker/packages bench)")
        with open(os.path.join(folder, "output"), "ab") as output:
            process = subprocess.Popen(
                [*pinned(self.cores), *words], cwd=folder, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env={**os.environ, "PATH": path, "HOME": folder, **environment})
        self.processes.append(process)
        self.await_port(process, port, folder)

    def await_port(self, process, port, folder):
        deadline = time.monotonic() + START_S
        while not listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise Failure(f"{self.name} does not listen on port {port}",
                              *tail(os.path.join(folder, "output")))
            time.sleep(POLL_S)

    def stop(self):
        for process in self.processes:
            end_session(process, signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                end_session(process, signal.SIGKILL)
                process.wait()
        self.processes = []
        shutil.rmtree(self.folder, ignore_errors=True)

    def memory_bytes(self):
        return sum(anonymous_bytes(pid) for process in self.processes
                   for pid in pids_of_session(process.pid))


def pinned(cores):
    """The words in front of a command that keep it to its cores and end it with us."""
    guard = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
    return [*guard, *on_cores(cores)]


def on_cores(cores):
    return ["taskset", "--cpu-list", cores]


def end_session(process, number):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tail(path, count=8):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()[-count:]


def pids_of_session(leader):
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            with open(f"/proc/{int(name)}/stat", encoding="utf-8", errors="replace") as stat:
                if int(stat.read().rsplit(")", 1)[1].split()[3]) == leader:
                    yield int(name)


def anonymous_bytes(pid):
    """The process's own memory, without mapped files: what it has allocated and touched."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as rollup:
        for line in rollup:
            if line.startswith("Anonymous:"):
                return int(line.split()[1]) * 1024
    raise Failure(f"process {pid} shows no memory")


def await_bytes(client, ends, behind=b""):
    """Reads from a socket until `ends` has come, after `behind`; what came."""
    came = b""
    while ends not in came.partition(behind)[2] if behind else ends not in came:
        data = client.recv(1 << 16)
        if not data:
            raise Failure(f"hung up before {ends!r} came", repr(came[-300:]))
        came += data
    return came


def await_first(listener, say, ends):
    """Says something again and again, until it arrives for the first time; then all of it has."""
    patience_s = listener.gettimeout()
    listener.settimeout(AGAIN_S)
    for _ in range(round(START_S / AGAIN_S)):
        say()
        with contextlib.suppress(TimeoutError):
            await_bytes(listener, ends)
            break
    else:
        raise Failure("two servers do not find each other")
    listener.settimeout(patience_s)
