"""From labelled texts to a registered model package.

`python -m training` does all of it. Each step is also a stage of `dvc.yaml` (the data stages, train, package,
evaluate, compare, register), reads `params.yaml` of the directory it runs in, and writes below `artifacts/`
there.
"""
