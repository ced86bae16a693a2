#!/usr/bin/env python3
"""Plays transcripts (*.chat) against real realms. How to write one: tests/README.md."""

import os
import sys

from harness.runner import run_transcripts

if __name__ == "__main__":
    sys.exit(run_transcripts(__doc__, os.path.dirname(os.path.abspath(__file__))))
