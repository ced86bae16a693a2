"""The faults. Each realm has a keeper that kills, stops, pauses or starves it and starts it again;
the weather lies on the network between the realms. What they do and when is drawn from the seed."""

import asyncio
import collections
import random
import time

from harness.failure import Failure

CALM_S = 1.0          # between two faults of a realm, on average
CALM_MAX_S = 3.0
CLEAR_S = 2.0         # between two of the network
FULL_S = 1.5
CHRONICLE = 60
KILL = "kill -9 "
# (fault of a realm, weight, whether it needs a disk of its own)
FATES = (("strike_down", 60, False), ("stillborn", 14, False), ("pause", 7, False),
         ("stop", 7, False), ("starve", 8, True))
WEATHERS = (("cut", 3), ("cut one way", 4), ("unplug", 2), ("loss", 4), ("thin", 2))


class Chronicle:
    """What happened last, with the time, and how often."""

    def __init__(self):
        self.began = time.monotonic()
        self.lines = collections.deque(maxlen=CHRONICLE)
        self.counts = collections.Counter()

    def add(self, text):
        self.lines.append(f"{time.monotonic() - self.began:8.3f} s  {text}")

    def count(self, what, times=1):
        self.counts[what] += times

    def kills(self):
        """Of realms that served, so under load."""
        return kills_in(self.counts, "at birth", "during start-up")


def kills_in(counts, *but):
    return sum(times for what, times in counts.items()
               if what.startswith(KILL) and not what.endswith(but))


class Season:
    """A time with faults; `storm` strikes the realms that are calm just then, all at once."""

    def __init__(self, seed, victims, ground, chronicle):
        self.victims = victims
        self.ground = ground
        self.chronicle = chronicle
        self.is_over = asyncio.Event()
        self.struck = {victim.handle: asyncio.Event() for victim in victims}
        self.seed = seed

    def chance(self, of_what):
        return random.Random(f"{self.seed} {of_what}")

    async def run(self, length_s):
        """All faults for so long; at the end every realm serves and the network is whole."""
        tasks = [asyncio.create_task(Keeper(self, victim).keep()) for victim in self.victims]
        tasks.append(asyncio.create_task(self.storms()))
        if self.ground.has_faults:
            tasks += [asyncio.create_task(Weather(self, number).blow()) for number in range(2)]
        tasks.append(asyncio.create_task(self.calendar(length_s)))
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def calendar(self, length_s):
        await asyncio.sleep(length_s)
        self.is_over.set()

    async def passes(self, length_s, *events):
        """Waits for so long, or until one of the events or the end of the season."""
        tasks = [asyncio.create_task(event.wait()) for event in (self.is_over, *events)]
        await asyncio.wait(tasks, timeout=length_s, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()

    async def storms(self):
        """Several realms die at the same moment."""
        chance = self.chance("storms")
        while not self.is_over.is_set():
            await self.passes(chance.uniform(2, 6))
            for victim in chance.sample(self.victims, chance.randint(2, len(self.victims))):
                self.struck[victim.handle].set()


class Keeper:
    """What becomes of one realm."""

    def __init__(self, season, victim):
        self.season = season
        self.victim = victim
        self.chance = season.chance(victim.handle)
        self.fates = [(fate, weight) for fate, weight, needs_disk in FATES
                      if season.ground.has_faults or not needs_disk]

    async def keep(self):
        struck = self.season.struck[self.victim.handle]
        while True:
            struck.clear()
            await self.season.passes(min(self.chance.expovariate(1 / CALM_S), CALM_MAX_S), struck)
            if self.victim.has_ended():
                code = self.victim.process.wait()
                raise Failure(f"realm {self.victim.handle} ended by itself: exit code {code}")
            if self.season.is_over.is_set():
                return
            if struck.is_set():
                self.kill("together with others")
                await self.rise()
                continue
            fates, weights = zip(*self.fates)
            await getattr(self, self.chance.choices(fates, weights)[0])()

    def kill(self, how):
        if self.victim.kill_hard():
            self.season.chronicle.count(KILL + how)

    async def rise(self):
        """Stays dead for a moment, mostly a short one, and starts."""
        dead_s = self.chance.choice((0, 0.02, 0.1, 0.3, 1.5)) * self.chance.random()
        await self.season.passes(dead_s)
        await self.start()

    async def start(self):
        started = await self.victim.start_up()
        self.season.chronicle.count("start" if started else "start refused, disk full")
        return started

    async def fall_again(self):
        """Started, and killed before it is ready or in its first handshakes."""
        for _ in range(self.chance.randint(1, 3)):
            self.victim.spawn()
            await asyncio.sleep(self.chance.choice((0.02, 0.1)) * self.chance.random())
            if self.victim.full and self.victim.has_ended():
                await self.victim.end_on_full_disk()
                return
            self.kill("during start-up")

    async def stillborn(self):
        self.kill("under load")
        await self.fall_again()
        await self.rise()

    async def strike_down(self):
        self.kill("under load")
        await self.rise()

    async def pause(self):
        self.victim.pause()
        self.victim.tell("SIGSTOP")
        self.season.chronicle.count("SIGSTOP")
        await asyncio.sleep(self.chance.uniform(1, 5))
        if self.chance.random() < 0.3:
            self.kill("while stopped")
            await self.rise()
        else:
            self.victim.resume()
            self.victim.tell("SIGCONT")

    async def stop(self):
        await self.victim.stop_softly()
        self.season.chronicle.count("SIGTERM")
        await self.rise()

    async def starve(self):
        """Its disk is full; it ends, may try to start again, until there is room."""
        self.victim.fill_disk(self.chance.choice((0, 1, self.chance.randint(2, 40))))
        self.season.chronicle.count("full disk")
        await self.die_of_hunger()
        if self.chance.random() < 0.6 and not self.victim.running:
            await self.fall_again()
        if self.chance.random() < 0.6 and not self.victim.running and await self.start():
            await self.die_of_hunger()
        await self.season.passes(self.chance.uniform(0, FULL_S))
        if self.victim.running:
            self.kill("on a full disk")
        self.victim.free_disk()
        await self.rise()

    async def die_of_hunger(self):
        ended = await self.victim.end_on_full_disk()
        self.season.chronicle.count("ended on a full disk" if ended else "lived on a full disk")


class Weather:
    """One fault of the network after the other; several weathers may lie over each other."""

    def __init__(self, season, number):
        self.season = season
        self.ground = season.ground
        self.chance = season.chance(f"weather {number}")
        missing = dict(self.ground.missing)
        self.kinds = [(kind, weight) for kind, weight in WEATHERS if kind not in missing]
        self.names = [victim.handle for victim in season.victims]

    async def blow(self):
        while not self.season.is_over.is_set():
            await self.season.passes(self.chance.expovariate(1 / CLEAR_S))
            if not self.season.is_over.is_set():
                kinds, weights = zip(*self.kinds)
                await self.strike(self.chance.choices(kinds, weights)[0])

    async def strike(self, kind):
        near, far = self.chance.sample(self.names, 2)
        length_s = self.chance.uniform(0.3, 5)
        begin, end = self.means(kind, near, far)
        self.season.chronicle.add(f"network: {kind} of {near}, {far} for {length_s:.1f} s")
        self.season.chronicle.count(f"network: {kind}")
        begin()
        try:
            await self.season.passes(length_s)
        finally:
            end()
            self.season.chronicle.add(f"network: {kind} of {near}, {far} is over")

    def means(self, kind, near, far):
        """How it begins and how it ends."""
        ground = self.ground
        ways = {"cut": [(near, far, 100), (far, near, 100)], "cut one way": [(near, far, 100)],
                "loss": [(near, far, 20), (far, near, 20)]}.get(kind)
        if ways is not None:
            return (lambda: [ground.lose(*way) for way in ways],
                    lambda: [ground.find(*way) for way in ways])
        if kind == "unplug":
            return (lambda: ground.unplug(near)), (lambda: ground.plug(near))
        return (lambda: ground.thin(near)), (lambda: ground.widen(near))
