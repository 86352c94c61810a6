"""Letting others have their turn; knows gevent."""

from gevent import get_hub


def give_way() -> None:
    """Let everything else run that can, what has come over the network included.

    `gevent.sleep(0)` does less: it only goes behind the other greenlets that wait for their
    turn, and up to fifty of these run before the hub looks at the network again.
    """
    hub = get_hub()
    # Over at once, but looked at only after the network (ev(3)).
    timer = hub.loop.timer(0)
    try:
        hub.wait(timer)
    finally:
        timer.close()
