"""What is no request: answered as every error is, and written down under no route."""

from http import HTTPStatus

from bento.books import Books
from bento.exchange import Exchange
from bento.metrics import UNMATCHED
from bento.problems import ProblemError, explain
from bento.protocol import Headers


def refuse(books: Books, status: int, why: str) -> tuple[Headers, bytes]:
    """Return headers and body of the answer to what could not be read; what `protocol.HttpProtocol` takes."""
    exchange = Exchange.begin({"method": "", "headers": []})
    response = explain(exchange, ProblemError(HTTPStatus(status), why))
    books.close(exchange, UNMATCHED, status)
    return [*response.raw_headers, *exchange.answer_headers()], bytes(response.body)
