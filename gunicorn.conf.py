"""gunicorn's configuration: `gunicorn`, run in this folder without options, starts the gateway.

gunicorn's master reads this file at the start, and again at each reload.
"""

import os
import sys

# gunicorn has put the current folder on the path; no file of another program there may take the
# place of a module.
sys.path.sort(key=lambda entry: os.path.realpath(entry) == os.getcwd())  # noqa: PTH109
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120

import gc
import itertools
import resource
import signal
from functools import partial

from app.platform_check import check_platform

check_platform()

# Paths are UTF-8, whatever the locale is: with another encoding, many could not be named.
if sys.getfilesystemencoding() != "utf-8":
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606

# A reload brings new code, too; what the old code has left can be freed then.
gc.unfreeze()
# An import makes many objects that stay. Looking for others among them takes a tenth of its time.
gc.disable()
for name in [name for name in sys.modules if name == "app" or name.startswith("app.")]:
    del sys.modules[name]

from app.logs import configuration
from app.master import GRACEFUL_TIMEOUT, Master
from app.processes import child
from app.server.nonblocking_stderr import replace_stderr
from app.server.worker import STOP_SIGNALS, Worker

# Workers inherit it.
stderr = replace_stderr()
master = Master.load()
settings = master.startup.settings

# Imported before the fork, Flask and what it imports cost each worker neither time nor memory. It
# comes this late so that unusable settings are reported at once.
from app.application import create_app

gc.enable()
gc.collect()
# What exists now stays: to look at it again would copy it into each worker, and hold up the
# streams.
gc.freeze()


# A worker gets them once it can obey them (Worker.init_signals). This function is no code of the
# gateway's, so a reload keeps nothing of the old code.
os.register_at_fork(
    after_in_parent=partial(signal.pthread_sigmask, signal.SIG_UNBLOCK, STOP_SIGNALS)
)


class GatewayWorker(Worker):
    """A worker of the gateway that the master has loaded last."""

    def load_wsgi(self):
        self.wsgi = create_app(master.startup, child(self.ppid), self.number)
        stderr.on_drop = self.wsgi.extensions["jobs"].metrics.count_dropped_lines
        gc.collect()
        gc.freeze()


# gunicorn requires a name; GatewayWorker makes the application itself.
wsgi_app = "app.application:create_app"
worker_class = GatewayWorker
workers = settings.workers
bind = master.address
forwarded_allow_ips = ",".join(str(network) for network in settings.forwarded_allow_ips)
# By default the client of a proxy could set SCRIPT_NAME and PATH_INFO by headers of these names.
forwarder_headers = ""
proc_name = "claudecode2api"
# Streams last for hours: no worker may restart because it has served many requests.
max_requests = 0
# Also the seconds that a client has for its headers; 0 would mean none.
keepalive = 10
graceful_timeout = GRACEFUL_TIMEOUT
timeout = 60
# A worker counts as frozen when its file there is not touched in time, so no disk may delay that.
worker_tmp_dir = os.environ.get("RUNTIME_DIRECTORY") or None
worker_connections = 10_000
control_socket_disable = True
# A user name could forge lines of an access log; the application logs what matters.
accesslog = None
# Another parser, if it is installed, lacks the limits of app/server/request_parser.py.
http_parser = "python"
errorlog = "-"
loglevel = settings.log_level.lower()
logconfig_dict = configuration(
    settings.log_format, settings.log_level, master.startup.secrets(), str(settings.state_dir)
)


def on_starting(server):
    """Before the first worker."""
    # Each stream takes a few descriptors; the usual limit of 1024 is for other programs.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65_536), most))
    master.start(server)


def pre_fork(server, worker):
    """Give the worker the lowest free number: it goes on with the counters of that number.

    A signal that stops it waits until it has begun.
    """
    taken = {getattr(each, "number", None) for each in server.WORKERS.values()}
    worker.number = next(number for number in itertools.count() if number not in taken)
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)


def post_fork(server, worker):
    """Let the worker report to systemd that the gateway answers."""
    worker.notifier = server.notifier


def on_reload(server):
    """Before the first worker of the new code and settings."""
    master.reload(server)


def child_exit(server, worker):
    """After a worker."""
    master.forget_worker(getattr(worker, "number", 0))


def on_exit(server):
    """After the last worker."""
    master.stop()
