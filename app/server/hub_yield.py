"""A yield to gevent's hub that lets new network events run too."""

from gevent import get_hub


def yield_to_hub() -> None:
    """Let all other greenlets run, including those whose network events are new.

    `gevent.sleep(0)` does less: it only queues behind the greenlets that are ready, and up to
    fifty of these run before the hub polls the network again.
    """
    hub = get_hub()
    # It expires at once, but libev runs timers after it has polled the network (ev(3)).
    timer = hub.loop.timer(0)
    try:
        hub.wait(timer)
    finally:
        timer.close()
