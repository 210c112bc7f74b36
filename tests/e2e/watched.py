"""A stub."""

from tests.e2e.scene import Model, Scene


def watched_release(scene: Scene, model: Model) -> None:
    raise NotImplementedError
