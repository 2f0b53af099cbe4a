"""Faults of the stand-ins for Slack and AWS: what happens to requests that match."""

import re
from dataclasses import dataclass


@dataclass
class Fault:
    """`times` requests in which `pattern` is found fail, once `skip` passed. `kind` is a word of the stand-in."""

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
