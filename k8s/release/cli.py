"""The command line of `python -m k8s.release`."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from k8s.release.api import Api
from k8s.release.choosing import choose_model, reference
from k8s.release.deployment import look
from k8s.release.duration import parse_duration
from k8s.release.helm import DEFAULT_RELEASE, Helm
from k8s.release.history import tell_history
from k8s.release.outcome import Exit, ReleaseError
from k8s.release.plan import make_plan
from k8s.release.prometheus import Prometheus
from k8s.release.record import whoever_runs_this
from k8s.release.registry import find, keep_note
from k8s.release.releasing import Release, Wish
from k8s.release.status import tell_status
from k8s.release.watching import Patience

_NAME = "valence-sentiment"
_CHART = Path(__file__).resolve().parents[2] / "helm" / "valence"
_EXIT_CODES = (
    "Exit codes: 0 kept, or went back on request, or all agree; 1 the release was undone by itself; "
    "2 refused, nothing was changed; 3 in place but unproven (too little traffic, or Prometheus does not "
    "answer); 4 neither forth nor back, a person is needed (the same command goes on); 5 status: they "
    "disagree; 130 interrupted (likewise)."
)


app = typer.Typer(
    help="Roll a model out, watch it, and keep it or take it back: python -m k8s.release VERSION --bake 10m "
    "--prometheus URL. `to` may be left out.",
    epilog=_EXIT_CODES,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

_Release = Annotated[str, typer.Option("--release", help="The Helm release.")]
_Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Its namespace; by default the context's.")
]
_Context = Annotated[str | None, typer.Option(help="The kubeconfig's context; by default the current one.")]
_Timeout = Annotated[str, typer.Option(help="How long new pods may take to come up.")]
_Registry = Annotated[
    str | None,
    typer.Option(envvar="VALENCE_REGISTRY", help="MLflow's URL or sqlite:///FILE.", show_envvar=True),
]


@app.command("to", epilog=_EXIT_CODES)
def release(
    version: Annotated[str, typer.Argument(help="A version (12) or an alias (production) of the registry.")],
    *,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only show what would change, on the texts of --sample.")
    ] = False,
    sample: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="For --plan: CSV with a column 'text', or a text in each line."
        ),
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="For --plan: compare with this version, not the deployed one.")
    ] = None,
    why: Annotated[str, typer.Option(help="Why, for those who read the history.")] = "",
    who: Annotated[str | None, typer.Option(help="Who; by default CI's actor, or user@machine.")] = None,
    bake: Annotated[str, typer.Option(help="How long to watch: 90s, 10m, 1h; 0: not at all.")] = "10m",
    before: Annotated[str, typer.Option(help="How much of the time before to compare with.")] = "1h",
    prometheus: Annotated[str | None, typer.Option(help="Prometheus's URL; needed to bake.")] = None,
    url: Annotated[
        str | None,
        typer.Option(help="Try the service here; by default each new pod, through the API server."),
    ] = None,
    values: Annotated[
        Path | None,
        typer.Option(
            "--values",
            "-f",
            exists=True,
            dir_okay=False,
            help="Values to change too, as `make image` writes them.",
        ),
    ] = None,
    chart: Annotated[
        Path,
        typer.Option(exists=True, file_okay=False, help="The chart.", show_default="helm/valence beside k8s"),
    ] = _CHART,
    timeout: _Timeout = "10m",
    accept_little_traffic: Annotated[
        bool, typer.Option("--accept-little-traffic", help="Keep what could not be judged, and say so.")
    ] = False,
    release: _Release = DEFAULT_RELEASE,
    namespace: _Namespace = None,
    context: _Context = None,
    registry: _Registry = None,
) -> None:
    """Release a version (or --plan it): roll out, try, watch, keep or take back."""

    def act() -> Exit:
        if plan:
            return _plan(version, sample, against, registry, (release, namespace, context))
        bake_s, before_s = parse_duration(bake), parse_duration(before)
        if bake_s and prometheus is None:
            raise ReleaseError("watching needs --prometheus URL; to release unwatched: --bake 0")
        api, helm = _connect(release, namespace, context)
        found = choose_model(version, values, registry, helm)
        wish = Wish(
            model=found.model,
            package=found.package,
            chart=chart,
            values=values,
            who=who or whoever_runs_this(),
            why=why,
            patience=Patience(parse_duration(timeout)),
            bake_s=bake_s,
            before_s=before_s,
            prometheus=Prometheus(prometheus) if prometheus else None,
            url=url,
            accept_little_traffic=accept_little_traffic,
        )
        return Release(api, helm, _say).run(wish)

    _finish(act)


@app.command(epilog=_EXIT_CODES)
def undo(
    *,
    why: Annotated[str, typer.Option(help="Why, for those who read the history.")] = "asked for",
    timeout: _Timeout = "10m",
    release: _Release = DEFAULT_RELEASE,
    namespace: _Namespace = None,
    context: _Context = None,
) -> None:
    """Go back to the model before, and end a release that is under way."""

    def act() -> Exit:
        patience = Patience(parse_duration(timeout))
        api, helm = _connect(release, namespace, context)
        return Release(api, helm, _say).undo(f"{why} ({whoever_runs_this()})", patience)

    _finish(act)


@app.command(epilog=_EXIT_CODES)
def status(
    *,
    release: _Release = DEFAULT_RELEASE,
    namespace: _Namespace = None,
    context: _Context = None,
    registry: _Registry = None,
) -> None:
    """Compare the registry's alias, Helm's values and the live pods; say what brings them together."""

    def act() -> Exit:
        found = tell_status(*_connect(release, namespace, context), registry)
        for line in found.lines:
            _say(line)
        for line in found.disagreements:
            _say(f"! {line}")
        if not found.disagreements:
            _say("all agree")
        return Exit.DISAGREES if found.disagreements else Exit.DONE

    _finish(act)


@app.command(epilog=_EXIT_CODES)
def history(
    *,
    last: Annotated[int, typer.Option(min=1, help="How many.")] = 10,
    release: _Release = DEFAULT_RELEASE,
    namespace: _Namespace = None,
    context: _Context = None,
) -> None:
    """List what was deployed, in model versions."""

    def act() -> Exit:
        for each in tell_history(*_connect(release, namespace, context), last):
            model = f"{each.model.version} ({each.model.digest[:19]}…)"
            _say(f"{each.revision:>4}  {each.when}  {each.status:<12} {model}  {each.note}")
        return Exit.DONE

    _finish(act)


def _plan(
    version: str,
    sample: Path | None,
    against: str | None,
    registry: str | None,
    where: tuple[str, str | None, str | None],
) -> Exit:
    if sample is None:
        raise ReleaseError(
            "--plan needs texts: --sample FILE, a CSV with a column 'text' or a text in each line"
        )
    replicas = None
    if against is None:
        api, helm = _connect(*where)
        live_reference = helm.model().reference
        replicas = look(api, helm.release).wanted
    else:
        live_reference = reference(_NAME, against)
    live = find(live_reference, registry, download=True)
    candidate = find(reference(live.model.name, version), registry, download=True)
    folder, plan = make_plan(live, candidate, sample, replicas, _say)
    print((folder / "note.md").read_text())
    _say(f"{folder}: note.md, plan.json, flips.csv")
    try:
        keep_note(
            candidate.model,
            registry or "",
            (folder / "note.md").read_text(),
            json.dumps(plan, separators=(",", ":")),
        )
    except ReleaseError as error:
        _say(str(error))
    _say(f"release it: python -m k8s.release {candidate.model.version} --bake 10m --prometheus URL")
    return Exit.DONE


def _connect(release: str, namespace: str | None, context: str | None) -> tuple[Api, Helm]:
    api = Api(context=context, namespace=namespace)
    return api, Helm(release, api.namespace, context)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _finish(act: Callable[[], Exit]) -> None:
    try:
        code = act()
    except ReleaseError as error:
        _say(f"k8s.release: {error}")
        code = error.code
    except KeyboardInterrupt:
        _say("k8s.release: interrupted; the same command goes on, and `undo` in its place goes back")
        code = Exit.INTERRUPTED
    raise typer.Exit(code)


def main(arguments: list[str]) -> None:
    """Run the command line; what is no command is a version, as in `python -m k8s.release 12`."""
    names = {
        command.name or command.callback.__name__ for command in app.registered_commands if command.callback
    }
    if arguments and arguments[0] not in {*names, "--help"}:
        arguments = ["to", *arguments]
    app(arguments, prog_name="python -m k8s.release")
