"""Faults of the stand-ins for Slack and AWS: what happens to requests that match."""

import re
from dataclasses import dataclass


@dataclass
class Fault:
    """`times` requests that `pattern` is found in fail, after the first `skip` passed. `kind` is the stand-in's word."""

    kind: str
    pattern: str
    times: int = 1_000_000
    skip: int = 0
    hit: int = 0

    def strikes(self, request: str) -> bool:
        if not re.search(self.pattern, request):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.hit >= self.times:
            return False
        self.hit += 1
        return True
