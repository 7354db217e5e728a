"""The server on many machines: one application in every replica of Ray Serve, as many as the clients need.

    pip install '.[cpu,server]' 'ray[serve]'
    serve run ray_serve:server

A WebSocket is one ongoing request as long as it lasts, so replicas come and go with the clients.

A connection and its state stay at one replica; nothing is shared. A client whose connection breaks (a machine was lost, or
taken away) connects again. The settings are the application's, from the environment of the replicas.
"""

from typing import Any

from ray import serve

CORES = 4  # of a replica
CLIENTS = 34 * CORES  # of a replica; measure yours


def application() -> Any:
    """Made in each replica."""
    import edgevoice.asgi

    return edgevoice.asgi.app


@serve.deployment(
    max_ongoing_requests=2 * CLIENTS,
    autoscaling_config={"min_replicas": 1, "max_replicas": 1000, "target_ongoing_requests": 0.7 * CLIENTS},
    ray_actor_options={"num_cpus": CORES, "runtime_env": {"env_vars": {"PYTHON_CPU_COUNT": str(CORES)}}},
    graceful_shutdown_wait_loop_s=1,
    graceful_shutdown_timeout_s=600,  # a replica that goes takes no new clients, and waits this long for its own
)
@serve.ingress(application)
class Server:
    """One replica."""


server = Server.bind()
