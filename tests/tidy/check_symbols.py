#!/usr/bin/env python3
"""The core is pure: what its archive leaves undefined is compared with an allow-list.

It may call the few functions of libc below and those modules of base that are functions of their
arguments. These modules are held to a list of their own, so that nothing impure comes in by them.
No clock, no random, no I/O, no thread is on either list.
"""
import re
import shutil
import subprocess
import sys

import tidy

LIBC_OF_CORE = {
    "memchr", "memcmp", "memcpy", "memmove", "memset", "snprintf", "strchr", "strcmp", "strlen",
    "strncmp", "strnlen",
}

PURE_MODULES = {"arena", "assert", "batch", "bucket", "buffer", "code", "crypto", "index", "mailbox_address", "map", "memory", "phc",
                "text"}

# Memory, dying loudly, and of libsodium only what computes from its arguments.
LIBC_OF_MODULES = LIBC_OF_CORE | {
    "abort", "aligned_alloc", "calloc", "free", "gmtime_r", "malloc", "realloc",
}
ASSERT_MAY = {"fprintf", "fflush", "stderr", "dprintf", "write", "strerror"}
SODIUM = {
    "crypto_aead_xchacha20poly1305_ietf_decrypt", "crypto_aead_xchacha20poly1305_ietf_encrypt",
    "crypto_generichash", "crypto_generichash_blake2b", "crypto_shorthash", "crypto_shorthash_siphash24",
    "sodium_base642bin", "sodium_bin2base64", "sodium_malloc", "sodium_memcmp", "sodium_memzero",
}

# What compilers add by themselves.
COMPILER = re.compile(r"__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|__(asan|lsan|tsan|ubsan|sanitizer|gcov)_\w+")


def nm(archive):
    """The archive's members: name of the source without suffix → (defined, undefined)."""
    out = subprocess.run(
        ["nm", "--format=posix", "--print-file-name", str(archive)],
        check=True, capture_output=True, text=True,
    ).stdout
    members = {}
    for line in out.splitlines():
        where, symbol, kind = re.fullmatch(r".*\[(.*)\]: (\S+) (\S)(?: .*)?", line).groups()
        defined, undefined = members.setdefault(where.split(".")[0], (set(), set()))
        (undefined if kind in "Uvw" else defined).add(symbol)
    return members


def plain(symbol):
    """glibc's checked twin of a function counts as the function itself."""
    twin = re.fullmatch(r"__(\w+)_chk", symbol)
    return twin.group(1) if twin and symbol != "__stack_chk_fail" else symbol


def forbidden(undefined, allowed):
    return sorted(s for s in undefined if plain(s) not in allowed and not COMPILER.fullmatch(s))


def judge(core, base):
    """core, base: what `nm` tells of both archives."""
    pure = {s for name in PURE_MODULES & base.keys() for s in base[name][0]}
    inside = {s for defined, _ in core.values() for s in defined}
    problems = []
    for name, (_, undefined) in sorted(core.items()):
        for symbol in forbidden(undefined, inside | pure | LIBC_OF_CORE):
            problems.append(f"src/core/{name}.c: the core must not use {symbol}")
    for name in sorted(PURE_MODULES & base.keys()):
        allowed = pure | LIBC_OF_MODULES | SODIUM | (ASSERT_MAY if name in {"assert", "memory"} else set())
        for symbol in forbidden(base[name][1], allowed):
            problems.append(f"src/base/{name}.c: what the core may use must not use {symbol}")
    return problems


def check(_root, build):
    archives = [build / f"librealmgate_{name}.a" for name in ("core", "base")]
    for archive in archives:
        if not archive.is_file():
            return [f"{archive}: is not built"]
    core, base = (nm(archive) for archive in archives)
    if not any(undefined for _, undefined in core.values()):
        return [f"{archives[0]}: nm shows no undefined symbol; this check cannot read it"]
    return judge(core, base)


def check_sample(root, build):
    """A sample is sources; it is compiled and archived as the real ones are."""
    for name in ("core", "base"):
        objects = []
        for path in tidy.sources(root / "src", name):
            objects.append(build / f"{path.name}.o")
            compiler = shutil.which("cc") or "gcc"
            subprocess.run([compiler, "-O1", "-w", "-c", path, "-o", objects[-1]], check=True)
        subprocess.run(["ar", "rcs", build / f"librealmgate_{name}.a", *objects], check=True)
    return check(root, build)


BASE = {
    "src/base/text.c": "int text_number(void) { return 7; }",
    "src/base/random.c": "long time(long *); int random_bytes(void) { return time(0); }",
}


def core(code):
    return {**BASE, "src/core/state.c": code}


SAMPLES = [
    (core("int text_number(void); int f(void) { return text_number(); }"), None),
    (core("void *memcpy(); void f(void *a, void *b, unsigned long n) { memcpy(a, b, n); }"), None),
    (core("long time(long *); long f(void) { return time(0); }"), "state.c: the core must not use time"),
    (core("int random_bytes(void); int f(void) { return random_bytes(); }"), "must not use random_bytes"),
    (core("int f(char *b, unsigned long n) { return __builtin___snprintf_chk(b, n, 1, 9, b); }"), None),
    (core("int printf(); int f(char *b) { return printf(b, b); }"), "state.c: the core must not use printf"),
    ({**core("int text_number(void); int f(void) { return text_number(); }"),
      "src/base/text.c": "int rand(void); int text_number(void) { return rand(); }"},
     "text.c: what the core may use must not use rand"),
    (core("static int f(void) { return 1; } int g(void) { return f(); }"), "cannot read"),
]

if __name__ == "__main__":
    sys.exit(tidy.main(check_sample if "--selftest" in sys.argv else check, SAMPLES))
