"""`python -m auditcast.kafka.local`: Apache Kafka in the foreground until interrupted, its address on one line."""

import argparse
import signal
import sys
import time

from auditcast.kafka.local import ApacheBroker, Broker, EmbeddedBroker
from auditcast.schemas.errors import AuditcastError


def main() -> int:
    """Run a broker; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m auditcast.kafka.local", description=__doc__)
    parser.add_argument("--embedded", action="store_true", help="the embedded broker instead of Apache Kafka")
    parser.add_argument("--nodes", type=int, default=1, choices=range(1, 10), metavar="N", help="size of the cluster")
    options = parser.parse_args()
    broker: Broker = EmbeddedBroker() if options.embedded else ApacheBroker(options.nodes)
    # Both ways of ending it leave through the `with`, which ends the broker and removes its data.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with broker:
            print(f"AUDITCAST_BOOTSTRAP_SERVERS={broker.bootstrap}", flush=True)  # noqa: T201  (what it is run for)
            while True:
                time.sleep(1)
                broker.check()
    except KeyboardInterrupt:
        return 0
    except AuditcastError as error:
        print(error, file=sys.stderr)  # noqa: T201  (the sentence for the person who ran it)
        return 1


if __name__ == "__main__":
    sys.exit(main())
