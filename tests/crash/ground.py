"""The ground on which the realms stand: for each a network namespace and a small disk of its own,
or nothing but loopback where those are not to be had.

All of it belongs to one process tree: the mounts are made in a mount namespace of this process, the
bridges in its network namespace. They are gone with it, whatever ends it."""

import contextlib
import errno
import os
import subprocess
import sys
import tempfile

INSIDE = "REALMGATE_CRASH_INSIDE"
CAP_SYS_ADMIN = 1 << 21
CLIENT_NET, FEDERATION_NET = "10.77.0", "10.78.0"
CLIENT_PORT, FEDERATION_PORT = 9000, 9100
DISK_BYTES = 64 << 20  # free at the beginning of a round
PAGE_BYTES = 4096
DISK = "realmgate-crash"
HUB = """
link set lo up
link add clients type bridge forward_delay 0
link add federation type bridge forward_delay 0
link set clients up
link set federation up
addr add {client_net}.254/24 dev clients
"""
CABLES = """
link add c-{name} type veth peer name clients netns {file}
link add f-{name} type veth peer name federation netns {file}
link set c-{name} master clients up
link set f-{name} master federation up
"""
INTERIOR = """
link set lo up
addr add {client_net}.{number}/24 dev clients
addr add {federation_net}.{number}/24 dev federation
link set clients up
link set federation up
"""


class GroundError(Exception):
    """The ground could not be made, or gave way."""


def run(*command, text=None):
    # People often have no path to what mostly administrators call.
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    try:
        done = subprocess.run(command, input=text, text=True, capture_output=True, check=False,
                              env={**os.environ, "PATH": path})
    except FileNotFoundError as error:
        raise GroundError(str(error)) from None
    if done.returncode != 0:
        raise GroundError(f"{' '.join(command)}: exit code {done.returncode}: "
                          f"{done.stderr.strip()}")
    return done.stdout


def is_privileged():
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) & CAP_SYS_ADMIN)
    return False


def enter():
    """Goes into namespaces of our own, by starting this program anew; returns the mode once it is
    there. Who has the privilege gets them or an error, never less; for others it is tried first."""
    mode = os.environ.get(INSIDE)
    if mode is not None:
        return mode
    if is_privileged():
        move_into("privileged", ["unshare", "--mount", "--net"])
    user = ["unshare", "--user", "--map-root-user", "--mount", "--net"]
    try:
        run(*user, "--", sys.executable, os.path.abspath(__file__))
    except GroundError as error:
        print(error, file=sys.stderr)
        return "loopback"
    return move_into("user namespace", user)


def move_into(mode, command):
    sys.stdout.flush()
    command = [*command, "--", sys.executable, *sys.argv]
    os.execvpe(command[0], command, {**os.environ, INSIDE: mode})


class Loopback:
    """No namespaces, no disks: realms can be killed and paused, nothing else."""

    has_faults = False
    missing = ()

    def make(self):
        pass

    def options(self, _name):
        return []

    def prefix(self, _name):
        return []

    def take_disk(self, name, folder):
        pass

    def refresh_disk(self, name):
        pass

    def remove(self):
        pass


class Namespaces:
    """A bridge for the clients, one for the federation, and a namespace for each realm on both.
    What `make` and the others made goes with `remove`, also if they did not come to their end."""

    has_faults = True

    def __init__(self, scratch, names):
        self.scratch = scratch
        self.names = names
        self.disks = {}
        self.losses = {}   # (from, to) -> percents of the cuts that hold now
        self.unplugged = {name: 0 for name in names}
        self.thinned = {name: 0 for name in names}
        self.missing = []

    def make(self):
        run("ip", "-batch", "-", text=HUB.format(client_net=CLIENT_NET))
        for name in self.names:
            self.add_namespace(name)
        self.missing = list(self.try_weathers())

    def try_weathers(self):
        """The kinds of bad weather that this kernel does not know, with its words. Cuts must be."""
        first, last = self.names[0], self.names[-1]
        self.lose(first, last, 100)
        self.find(first, last, 100)
        for kind, begin, end in (("loss", lambda: self.lose(first, last, 20),
                                  lambda: self.find(first, last, 20)),
                                 ("thin", lambda: self.thin(first), lambda: self.widen(first))):
            try:
                begin()
            except GroundError as error:
                yield kind, str(error)
                self.forget_losses()
                continue
            end()

    def add_namespace(self, name):
        file = self.file(name)
        with open(file, "w", encoding="ascii"):
            pass
        run("unshare", f"--net={file}", "true")
        run("ip", "-batch", "-", text=CABLES.format(name=name, file=file))
        self.inside(name, "ip", "-batch", "-", text=INTERIOR.format(
            client_net=CLIENT_NET, federation_net=FEDERATION_NET, number=self.number(name)))

    def file(self, name):
        return os.path.join(self.scratch, f"namespace-{name}")

    def number(self, name):
        return self.names.index(name) + 1

    def prefix(self, name):
        return ["nsenter", f"--net={self.file(name)}", "--"]

    def inside(self, name, *command, text=None):
        return run(*self.prefix(name), *command, text=text)

    def options(self, name):
        number = self.number(name)
        return ["--clients", f"{CLIENT_NET}.{number}:{CLIENT_PORT}",
                "--federation", f"{FEDERATION_NET}.{number}:{FEDERATION_PORT}"]

    # Disks.

    def take_disk(self, name, folder):
        """Mounts a disk of this realm's own on its data directory."""
        self.disks[name] = folder
        run("mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0700", DISK, folder)

    def refresh_disk(self, name):
        """Frees what fills it, and lets it grow, so that DISK_BYTES are free again."""
        self.free_disk(name)
        status = os.statvfs(self.disks[name])
        used = (status.f_blocks - status.f_bfree) * status.f_frsize
        # With the device named, too: nothing is merged in from the mount table.
        run("mount", "-t", "tmpfs", "-o", f"remount,size={used + DISK_BYTES}", DISK,
            self.disks[name])

    def ballast(self, name):
        return os.path.join(self.disks[name], "ballast")

    def fill_disk(self, name, pages_left):
        """Fills it to the last page, then takes away so many of them."""
        with open(self.ballast(name), "ab") as ballast:
            allocate_rest(ballast.fileno(), self.disks[name])
            size = os.fstat(ballast.fileno()).st_size
            ballast.truncate(max(0, size - pages_left * PAGE_BYTES))

    def free_disk(self, name):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.ballast(name))

    # The network between realms. Faults of one kind may overlap: each ends for itself.

    def lose(self, sender, receiver, percent):
        """So many percent of the packets from one realm to the other are dropped."""
        self.losses.setdefault((sender, receiver), []).append(percent)
        self.apply_losses(receiver)

    def find(self, sender, receiver, percent):
        self.losses[sender, receiver].remove(percent)
        self.apply_losses(receiver)

    def forget_losses(self):
        self.losses.clear()
        self.thinned = {name: 0 for name in self.names}

    def apply_losses(self, receiver):
        rules = []
        for (sender, to), percents in self.losses.items():
            if to == receiver and percents:
                chance = f"numgen random mod 100 < {max(percents)}" if max(percents) < 100 else ""
                rules.append(f"ip saddr {FEDERATION_NET}.{self.number(sender)} {chance} drop")
        self.inside(receiver, "nft", "-f", "-", text="\n".join([
            "table inet crash", "delete table inet crash", "table inet crash {", "chain in {",
            "type filter hook input priority 0; policy accept;", *rules, "}", "}", ""]))

    def unplug(self, name):
        """The cable of its federation port is out."""
        self.unplugged[name] += 1
        run("ip", "link", "set", f"f-{name}", "down")

    def plug(self, name):
        self.unplugged[name] -= 1
        if not self.unplugged[name]:
            run("ip", "link", "set", f"f-{name}", "up")

    def thin(self, name):
        """What it sends to other realms goes through a narrow pipe: late, or not at all."""
        self.thinned[name] += 1
        self.inside(name, "tc", "qdisc", "replace", "dev", "federation", "root", "tbf",
                    "rate", "1mbit", "burst", "8kb", "latency", "400ms")

    def widen(self, name):
        self.thinned[name] -= 1
        if not self.thinned[name]:
            self.inside(name, "tc", "qdisc", "del", "dev", "federation", "root")

    def remove(self):
        for folder in self.disks.values():
            subprocess.run(["umount", "--lazy", folder], capture_output=True, check=False)
        for name in self.names:
            subprocess.run(["umount", "--lazy", self.file(name)], capture_output=True, check=False)
        for link in ("clients", "federation"):
            subprocess.run(["ip", "link", "del", link], capture_output=True, check=False)


def allocate_rest(file, folder):
    """The file takes all that is free; somebody else may write at the same time."""
    while True:
        free = os.statvfs(folder)
        free_bytes = free.f_bavail * free.f_frsize
        if free_bytes == 0:
            return
        try:
            os.posix_fallocate(file, os.fstat(file).st_size, free_bytes)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


def try_out():
    """Whether all of it can be had in the namespaces of this process."""
    with tempfile.TemporaryDirectory(prefix="realmgate-crash-") as scratch:
        folder = os.path.join(scratch, "disk")
        os.mkdir(folder)
        ground = Namespaces(scratch, ("a", "b"))
        try:
            ground.make()
            ground.take_disk("a", folder)
            ground.fill_disk("a", 1)
            ground.refresh_disk("a")
        finally:
            ground.remove()


if __name__ == "__main__":
    try_out()
