"""A world: some linked realms with users and groups, and the rounds that it goes through. In each
round there are faults under load, then everything heals and everything is judged."""

import asyncio
import collections
import json
import random
import time

from harness.failure import Failure
from harness.scratch import administer, asked, connected

from audit import Audit
from faults import Chronicle, Season
from letters import OTHER_GROUP, SHARED_GROUP, USERS
from load import Load
from oracle import Oracle
from victim import Victim

NAMES = ("a", "b", "c")
LOG_LINES = 25
RATE = 4000  # messages a second and realm


class World:
    def __init__(self, ground, place, seed, names):
        self.ground = ground
        self.place = place
        self.seed = seed
        self.chronicle = Chronicle()
        self.oracle = Oracle()
        self.figures = collections.Counter()
        self.heals_s = []
        self.rounds = 0
        self.victims = [Victim(ground, place, name, self.chronicle) for name in names]
        self.loads = []
        self.audit = None
        self.reread = 0

    def settle_down(self):
        """From empty directories to linked realms that everybody can log in to."""
        asyncio.run(self.births())
        for victim in self.victims:
            administer(victim, *[f"ADDUSER {user} rahasia{' operator' if user == USERS[0] else ''}"
                                 for user in USERS])
            administer(victim, *[f"TRUSTREALM {other.handle} {other.key()}"
                                 for other in self.victims if other is not victim])
        for number, victim in enumerate(self.victims):
            administer(victim, *[f"ADDREALM {other.handle} {other.federation[0]} "
                                 f"{other.federation[1]}" for other in self.victims[number + 1:]])
        tokens = {victim.handle: {user: self.sign_up(victim, user) for user in USERS}
                  for victim in self.victims}
        self.audit = Audit(self.victims, tokens)
        self.audit.wait_for_healing(self.place.slow)
        federation = {victim.handle: victim.federation for victim in self.victims}
        self.loads = [Load(victim.handle, victim.clients, federation, tokens[victim.handle],
                           self.seed, RATE / self.place.slow, self.place.patience_s)
                      for victim in self.victims]

    async def births(self):
        """The first starts, some of them cut short."""
        chance = random.Random(f"{self.seed} births")
        for victim in self.victims:
            for _ in range(3):
                victim.spawn()
                await asyncio.sleep(chance.uniform(0, 0.03))
                victim.kill_hard()
                self.chronicle.count("kill -9 at birth")
            await victim.start_up()

    @staticmethod
    def sign_up(victim, user):
        """A token, and the groups: made by the first user, joined by the others."""
        request = "ADDGROUP" if user == USERS[0] else "JOINGROUP"
        connection = connected(victim, user)
        token = asked(connection, f"AUTH {user} rahasia")["data"]
        asked(connection, f"{request} {SHARED_GROUP} bersama")
        asked(connection, f"{request} {OTHER_GROUP} milik-{victim.handle}")
        connection.close()
        return token

    def round(self, length_s):
        """Faults under load, healing, judgement."""
        self.rounds += 1
        seed = f"{self.seed} round {self.rounds}"
        self.chronicle.add(f"round {self.rounds} begins")
        for victim in self.victims:
            self.ground.refresh_disk(victim.handle)
        for load in self.loads:
            load.orders.send("go")
        asyncio.run(self.season(seed, length_s))
        began = time.monotonic()
        for load in self.loads:
            load.orders.send("rest")
        journals = [journal for load in self.loads for journal in load.take()]
        self.audit.wait_for_healing(self.place.slow)
        self.heals_s.append(time.monotonic() - began)
        self.chronicle.add(f"healed after {self.heals_s[-1]:.1f} s")
        return self.judge(journals, random.Random(f"{seed} audit"))

    async def season(self, seed, length_s):
        watch = asyncio.create_task(self.watch_loads())
        season = asyncio.create_task(
            Season(seed, self.victims, self.ground, self.chronicle).run(length_s))
        done, _ = await asyncio.wait([watch, season], return_when=asyncio.FIRST_COMPLETED)
        for task in (watch, season):
            if task not in done:
                task.cancel()
        await asyncio.gather(watch, season, return_exceptions=True)
        for task in done:
            task.result()

    async def watch_loads(self):
        while True:
            await asyncio.sleep(0.2)
            for load in self.loads:
                load.check()

    def judge(self, journals, chance):
        self.audit.ask_states(journals, chance)
        pages = self.audit.read_all(self.oracle.ends)
        verdict = self.oracle.judge(journals, pages)
        self.figures += verdict.figures
        self.audit.keep(pages)
        self.check_alarms()
        if verdict.broken:
            counts = ", ".join(f"{promise}: {times} times"
                               for promise, times in verdict.broken.items())
            raise Failure(f"promises broken in round {self.rounds}: {counts}", *verdict.violations)
        return verdict

    def close(self):
        """A clean stop and one more start: everything stands where it stood."""
        for victim in self.victims:
            victim.stop()
        for victim in self.victims:
            victim.start()
        self.audit.wait_for_healing(self.place.slow)
        self.reread = self.audit.compare_all()
        for victim in self.victims:
            victim.stop()
        self.check_alarms()

    def check_alarms(self):
        for victim in self.victims:
            if victim.alarms():
                raise Failure(f"realm {victim.handle} reports a defect", *victim.alarms()[:12])

    def tails(self):
        """What helps to understand a failure."""
        lines = ["the last events:", *self.chronicle.lines]
        for victim in self.victims:
            lines += [f"log of realm {victim.handle}:", *victim.log_lines()[-LOG_LINES:]]
            lines += self.links_of(victim)
        return lines

    @staticmethod
    def links_of(victim):
        if not victim.running or victim.has_ended():
            return []
        try:
            return [f"its links: {row}" for row in json.loads(victim.admin("CHECKREALM"))["data"]]
        except Failure:
            return []

    def discard(self):
        for load in self.loads:
            load.end()
        for victim in self.victims:
            victim.discard()
