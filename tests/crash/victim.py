"""A realm to be killed: started without waiting, ended in every way, and its ends compared with
what is promised."""

import asyncio
import os
import signal

from harness.failure import Failure
from harness.realm import READY_S, STOP_S, Realm, told

KILLED = -signal.SIGKILL
END_FULL_S = 8


class Victim(Realm):
    """All waits are bounded, and let the other realms live on."""

    def __init__(self, ground, place, name, chronicle):
        super().__init__(place, name, ground.options(name))
        self.ground = ground
        self.chronicle = chronicle
        self.full = False
        ground.take_disk(name, self.data)

    def command(self, extra):
        words = super().command(extra)
        place = words.index(self.place.binary)
        return [*words[:place], *self.ground.prefix(self.handle), *words[place:]]

    def tell(self, text):
        self.chronicle.add(f"{self.handle}: {text}")

    async def start_up(self):
        """Starts and waits for the ready line. True if it serves; a full disk may prevent that."""
        if not self.running:
            self.spawn()
        await readable(self.process.stdout.fileno(), READY_S * self.place.slow)
        try:
            self.take_ready_line()
        except Failure:
            if self.process is None and self.full and self.code == 1:
                self.tell("does not start on a full disk")
                return False
            raise
        self.tell("ready")
        return True

    def ending(self):
        """How it ended before it was ready; called by the harness."""
        self.code = self.wait(STOP_S)
        self.forget()
        return "it closed its standard output" if self.code is None else told(self.code)

    def has_ended(self):
        return self.process is None or self.process.poll() is not None

    def kill_hard(self):
        """kill -9, at whatever it is doing."""
        if self.process.poll() is None:
            self.process.kill()
        code = self.process.wait()
        self.forget()
        self.tell(f"kill -9: {told(code)}")
        if code != KILLED and not (code == 1 and self.full):
            raise Failure(f"realm {self.handle} ended by itself: {told(code)}")
        return code == KILLED

    async def stop_softly(self):
        """SIGTERM: exit code 0 within 5 s is promised; where its disk is full, 1 is as good."""
        self.process.send_signal(signal.SIGTERM)
        code = await self.ended_within(STOP_S)
        self.tell("SIGTERM: " + ("still runs" if code is None else told(code)))
        if code != 0 and not (code == 1 and self.full):
            raise Failure(f"realm {self.handle} after SIGTERM: "
                          + (f"still runs after {STOP_S} s" if code is None else told(code)))
        self.forget()

    async def end_on_full_disk(self):
        """True if it ended, which must be with exit code 1. It may have nothing to write for long,
        and it takes some time to tell its clients."""
        code = await self.ended_within(END_FULL_S)
        if code is None:
            self.tell("nothing to write on its full disk")
            return False
        self.tell(f"ended on its full disk: {told(code)}")
        self.forget()
        if code != 1:
            raise Failure(f"realm {self.handle} on a full disk: {told(code)}, expected exit code 1")
        return True

    async def ended_within(self, bound_s):
        """The exit code, or None at the bound."""
        if self.process.poll() is not None:
            return self.process.returncode
        descriptor = os.pidfd_open(self.process.pid)
        try:
            await readable(descriptor, bound_s * self.place.slow)
        finally:
            os.close(descriptor)
        return self.process.poll()

    def fill_disk(self, pages_left):
        self.full = True
        self.ground.fill_disk(self.handle, pages_left)
        self.tell(f"its disk is full but for {pages_left} pages")

    def free_disk(self):
        self.ground.free_disk(self.handle)
        self.full = False
        self.tell("its disk has room again")


async def readable(descriptor, bound_s):
    """True once there is something to read, False at the bound."""
    loop = asyncio.get_running_loop()
    came = loop.create_future()
    loop.add_reader(descriptor, lambda: came.done() or came.set_result(None))
    try:
        await asyncio.wait_for(came, bound_s)
    except asyncio.TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)
    return True
