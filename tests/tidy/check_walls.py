#!/usr/bin/env python3
"""The walls of the house: which folder may include what."""
import re
import sys

import tidy

# Besides itself and `types`, which everybody may include.
WALLS = {
    "types": set(),
    "base": set(),
    "wire": {"base"},
    "core": {"base"},
    "store": {"base"},
    "net": {"base", "wire"},
    "app": {"base", "wire", "core", "store", "net"},
}

# Our limits and names are constants and structs that the plain structs are made of.
TYPES_MAY = {"base/limits.h"}

PURE = {
    "endian.h", "inttypes.h", "limits.h", "stdalign.h", "stdarg.h", "stdbool.h", "stddef.h",
    "stdint.h", "string.h",
}
LIBC = PURE | {
    "ctype.h", "errno.h", "fcntl.h", "math.h", "stdatomic.h", "stdio.h", "stdlib.h", "strings.h",
    "sys/stat.h", "sys/types.h", "sys/uio.h", "time.h", "unistd.h",
}
SOCKETS = {
    "arpa/inet.h", "netdb.h", "netinet/in.h", "netinet/tcp.h", "poll.h", "sys/epoll.h",
    "sys/eventfd.h", "sys/socket.h", "sys/timerfd.h", "sys/un.h",
}
PROCESS = {
    "dirent.h", "ftw.h", "getopt.h", "pthread.h", "pwd.h", "sched.h", "setjmp.h", "signal.h",
    "spawn.h", "sys/file.h", "sys/mman.h", "sys/prctl.h", "sys/random.h", "sys/resource.h",
    "sys/signalfd.h", "sys/statvfs.h", "sys/time.h", "sys/wait.h", "termios.h",
}

# An app talks to the admin socket and to the processes that it starts; it serves no connection.
APP_SOCKETS = {"poll.h", "sys/socket.h", "sys/un.h"}
OUTSIDE = {
    "types": PURE,
    "base": LIBC | PROCESS | {"sodium.h"},
    "wire": LIBC | {"jansson.h"},
    "core": PURE | {"stdio.h"},  # for snprintf; check_symbols.py keeps the rest of it out
    "store": LIBC | PROCESS | {"lmdb.h", "xxhash.h"},
    "net": LIBC | PROCESS | SOCKETS | {"czmq.h", "sanitizer/tsan_interface.h", "zmq.h"},
    "app": LIBC | PROCESS | APP_SOCKETS | {"czmq.h", "sodium.h", "systemd/sd-daemon.h", "zmq.h"},
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include\b[ \t]*(.*?)[ \t]*$', re.M)
INCLUDED = re.compile(r'"([^"]+)"|<([^>]+)>')


def refusal(root, path, folder, target):
    """Why a file of this folder may not include this, or None."""
    match = INCLUDED.fullmatch(target)
    if not match:
        return f"include of {target} cannot be read"
    ours, outside = match.groups()
    if outside:
        return None if outside in OUTSIDE[folder] else f"{folder} must not include <{outside}>"
    if "/" not in ours:
        return None if (path.parent / ours).is_file() else f'"{ours}" is not beside it'
    if not (root / "include" / ours).is_file():
        return f'there is no header "{ours}"'
    room = ours.split("/")[0]
    if room in {folder, "types"} or room in WALLS[folder]:
        return None
    if folder == "types" and ours in TYPES_MAY:
        return None
    return f'{folder} must not include "{ours}"'


def check_file(root, path, folder):
    text = tidy.code_of(tidy.read(path), literals=True)
    for match in INCLUDE.finditer(text):
        reason = refusal(root, path, folder, match.group(1))
        if reason:
            line = text.count("\n", 0, match.start()) + 1
            yield f"{path.relative_to(root)}:{line}: {reason}"
    if folder == "types":
        code = tidy.code_of(text)
        # A parameter has a name: what ends with a type is a value in braces.
        for match in re.finditer(r"(?<!_t)\)\s*\{", code):
            line = code.count("\n", 0, match.start()) + 1
            yield f"{path.relative_to(root)}:{line}: types hold no code"


def check(root, _build):
    problems = []
    files = tidy.sources(root, "src", "include")
    if not files:
        problems.append("no sources found")
    for path in files:
        folder = path.relative_to(root).parts[1]
        if folder not in WALLS:
            problems.append(f"{path.relative_to(root)}: no such room in the house")
            continue
        problems.extend(check_file(root, path, folder))
    return problems


HEADER = {"include/store/store.h": "", "include/types/name.h": "#include <stdint.h>\n"}
SAMPLES = [
    ({**HEADER, "src/store/a.c": '#include "store/store.h"\n#include <lmdb.h>\n'}, None),
    ({**HEADER, "src/core/a.c": '#include "store/store.h"\n'}, 'core must not include "store/store.h"'),
    ({**HEADER, "src/core/a.c": "#include <time.h>\n"}, "core must not include <time.h>"),
    ({**HEADER, "src/core/a.c": "/* x */ # include /* y */ <unistd.h>\n"}, "core must not include <unistd.h>"),
    ({**HEADER, "src/core/a.c": '#include "../store/a.h"\n'}, "there is no header"),
    ({**HEADER, "src/net/a.c": "\n#include <jansson.h>\n"}, "a.c:2: net must not include <jansson.h>"),
    ({**HEADER, "src/app/a.c": "#include <sys/epoll.h>\n"}, "app must not include <sys/epoll.h>"),
    ({**HEADER, "src/app/a.c": "#define H <lmdb.h>\n#include H\n"}, "cannot be read"),
    ({**HEADER, "include/types/a.h": "#define A ((a_t){.b = 1})\n"}, None),
    ({**HEADER, "include/types/a.h": "static int f(void)\n{\n}\n"}, "types hold no code"),
    ({**HEADER, "src/util/a.c": ""}, "no such room"),
    ({**HEADER, "src/core/a.c": "/* #include <time.h> */\n"}, None),
]

if __name__ == "__main__":
    sys.exit(tidy.main(check, SAMPLES))
