"""A look-alike of the Docker Engine and its swarm, for demonstrations, rehearsals and tests.

`scenarios.build` makes a model, which is pure: it holds the swarm and its time, and nothing outside. `api.answer`
speaks the Engine API over a model; `server` puts that on a unix socket and is the only module that needs aiohttp.
"""
