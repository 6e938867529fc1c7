#!/usr/bin/env python3
"""Writes a small workload in the Standard Workload Format: the same bytes for the same arguments.

    make_swf.py JOBS PROCESSORS [SEED] > trace.swf

Half of the jobs are cut short of their request, some fail or are cancelled while they wait, and arrivals come in
bursts, so that a queue builds up and backfill has something to do.
"""

import sys


def main():
    jobs, processors = int(sys.argv[1]), int(sys.argv[2])
    state = int(sys.argv[3]) if len(sys.argv) > 3 else 1

    def below(bound):
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (state >> 33) % bound

    print("; Version: 2.2")
    print(f"; MaxProcs: {processors}")
    print(f"; MaxJobs: {jobs}")
    print("; UnixStartTime: 0")
    submit = 0
    for number in range(1, jobs + 1):
        submit += below(600) if below(4) == 0 else below(5)
        size = min(processors, 2 ** below(processors.bit_length()))
        requested = 60 * (1 + below(120))
        run = requested if below(3) == 0 else 1 + below(requested)
        status = 5 if below(40) == 0 else 0 if below(12) == 0 else 1
        if status == 5 and below(2) == 0:
            run = 0
        user, group, queue = 1 + below(20), 1 + below(4), 1 + below(3)
        print(number, submit, -1, run, size, -1, -1, size, requested, -1, status, user, group, -1, queue, -1, -1, -1)


if __name__ == "__main__":
    main()
