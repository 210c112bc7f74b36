"""FastAPI around the ONNX file, without batching.

Work that keeps a processor busy belongs off the event loop (https://fastapi.tiangolo.com/async/): here into
an executor with as many threads as there are processors for them, which serves more than the pool of 40 that
plain `def` routes share. The answer is a response already, so that it is not validated once more
(https://fastapi.tiangolo.com/advanced/response-directly/). Workers, uvloop and httptools, no access log:
https://fastapi.tiangolo.com/deployment/server-workers/ and https://www.uvicorn.org/settings
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from benchmarks.peers.model import Model

_model = Model()
_pool = ThreadPoolExecutor(int(os.environ["BENCH_POOL"]))

app = FastAPI()


class PredictRequest(BaseModel):
    """One text."""

    text: str


@app.post("/predict")
async def predict(request: PredictRequest) -> JSONResponse:
    """Judge one text."""
    loop = asyncio.get_running_loop()
    (found,) = await loop.run_in_executor(_pool, _model.predict, [request.text])
    return JSONResponse(found)
