"""How a run measured, in words: the machine, the settings, the versions."""

from typing import Any


def describe_method(document: dict[str, Any]) -> str:
    """Return the sections on machine and method."""
    machine, settings = document["machine"], document["settings"]
    tokens = settings["tokens"]
    tuned = (
        f"Each server first ran with each of its settings for {settings['tune_s']:g} s at concurrency "
        f"{' and '.join(map(str, settings['tune_concurrency']))}, and the one that served most was taken."
        if settings["tune_s"]
        else "Each server ran with the first of its settings."
    )
    servers = "\n".join(
        f"- **{one['server']} ({one['backend']})**: `{one['command']}`; {one['chosen']}"
        + (f" (tried: {'; '.join(one['tried'])})" if len(one["tried"]) > 1 else "")
        for one in settings["servers"]
    )
    versions = "\n".join(
        f"- {who}: {', '.join(f'{name} {version}' for name, version in found.items())}"
        for who, found in machine["versions"].items()
    )
    return f"""## How it was measured

- **Model**: MiniLM-L6 with a head of three labels, fine-tuned on 3,000 rows of the corpus, unless the call
  named another. The numeric form of its ONNX file was chosen at export, as for every model package: int8 if
  that costs no accuracy that counts on texts held out, else fp32. All servers with the backend `onnx` read
  this very file; those with `transformers` compute the same weights in fp32.
- **Texts**: unique, so that no cache helps; words of the training corpus, {tokens["median"]} tokens in the
  median, log-normal with sigma {tokens["sigma"]}, cut to {tokens["min"]} and {tokens["max"]}. All servers get
  the same texts in a round, and others in the next.
- **Load**: a process of its own, raw sockets, keep-alive, closed loop: as many requests as the concurrency
  says are always in flight. It checks the status and that there is a sentiment in the body.
- **Order**: rounds ({settings["rounds"]}); in each, every server in turn is started, measured at each
  concurrency ({settings["warm_s"]:g} s of warm-up, {settings["cell_s"]:g} s measured, then what is in flight
  is awaited) and ended, so that nothing else runs meanwhile. {tuned}
- **Priority**: the load generator and all servers start at the same niceness, 0. The lanes of `valence`
  lower theirs to 10, as they do in production; no other server changes its own.
- **CPU**: user and system time of all processes of the server from `/proc`, over the measured seconds, by the
  answers with 200 in them.
- **Offline**: {settings["offline_texts"]} texts for each point of the grid, in each round.

{servers}

## The machine

{machine["cpu"]}, {machine["cpus"]} CPUs, {machine["memory_gb"]} GB, {machine["system"]}, Python
{machine["python"]}; the load average before the run was {machine["load_before"]}. {machine["date"]}, commit
{machine["commit"]}.

{versions}"""
