"""gunicorn -c gunicorn.conf.py "app:create_app()" """

import os

bind = f"0.0.0.0:{os.environ.get('PORT', '8080')}"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "gthread"
# A cron call and a slow poll each hold a thread for up to a minute; notifications must still find one.
threads = 16
# Never preload: clients and threads must be made after the fork.
preload_app = False
# gthread workers beat on their own; this only ends one that hangs altogether.
timeout = 120
# Longer than a sync takes to reach its next page, where it gives its claim back.
graceful_timeout = 30
keepalive = 75
accesslog = None
# gunicorn would put a control socket into HOME, which may not exist or may be read-only.
control_socket_disable = True
