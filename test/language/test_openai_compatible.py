"""Against a server that records what it gets and answers as told, faults included."""

import contextlib
import json
import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from liquid_mono3d_ros.language.backend import BackendFailure
from liquid_mono3d_ros.language.openai_compatible import EndpointBackend, EndpointSettings
from liquid_mono3d_ros.language.template import TemplateBackend
from liquid_mono3d_ros.language.verified import Verified
from liquid_mono3d_ros.records import Facts, Label, Quantity

KEY = "sk-very-secret-0123456789"
FACTS = Facts(
    9, "map", 3, 0, 1, 9, colour=Label("red", 0.9), path_length=Quantity(2.612, 0.03)
)  # fmt: skip
GOOD = ["It is ", "red. ", "It moved over 2.61", " m."]


def event(text):
    return b"data: " + json.dumps({"choices": [{"delta": {"content": text}}]}).encode() + b"\n\n"


class Server(ThreadingHTTPServer):
    """Answers request k with ``answers[k]``, the last one for ever after."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []
        self.answers = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), json.loads(body)))
        answers = self.server.answers
        with contextlib.suppress(OSError):  # the other side may leave
            answers[min(len(self.server.requests), len(answers)) - 1](self)

    def log_message(self, *_):
        pass

    def begin(self, status=200, kind="text/event-stream", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


def stream(pieces, end=b"data: [DONE]\n\n"):
    def answer(handler):
        handler.begin()
        for piece in pieces:
            handler.wfile.write(piece if isinstance(piece, bytes) else event(piece))
            handler.wfile.flush()
        handler.wfile.write(end)

    return answer


def whole(body, kind="application/json", status=200, **headers):
    def answer(handler):
        handler.begin(status, kind, **headers)
        handler.wfile.write(body)

    return answer


def silent(handler):
    time.sleep(1.0)


def drip(handler):
    handler.begin()
    for _ in range(40):
        handler.wfile.write(b":")
        handler.wfile.flush()
        time.sleep(0.05)


@pytest.fixture
def server(monkeypatch):
    for name in ("OPENAI_API_KEY", "LM3D_TEST_KEY"):
        monkeypatch.delenv(name, raising=False)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def backend(server, **settings):
    settings = {"timeout": 0.3, "key_env": "LM3D_TEST_KEY", **settings}
    return EndpointBackend(EndpointSettings(base_url=server.url, **settings))


def test_a_streamed_text_is_verified_and_passed_on_sentence_by_sentence(server):
    server.answers = [stream(GOOD)]
    heard = []
    words = Verified(backend(server)).describe(FACTS, on_token=heard.append)
    assert words.text == "It is red. It moved over 2.61 m."
    assert (words.backend, words.verified, words.unsupported) == ("openai_compatible", True, ())
    assert words.evidence == ("colour", "path_length")
    assert heard == ["It is red.", " It moved over 2.61 m."]


def test_a_reply_in_one_piece_is_read_too(server):
    message = {"choices": [{"message": {"role": "assistant", "content": "It is red."}}]}
    server.answers = [whole(json.dumps(message).encode())]
    assert backend(server).describe(FACTS).text == "It is red."


def test_the_server_gets_facts_and_the_question_as_data_and_no_image(server):
    server.answers = [stream(["It is red."])]
    image = np.zeros((8, 8, 3), np.uint8)
    backend(server).describe(
        FACTS, tokens=np.ones((2, 4)), images=[image], question='Is "it" red?'
    )
    path, headers, body = server.requests[0]
    assert path == "/v1/chat/completions"
    assert "Authorization" not in headers
    user = body["messages"][1]["content"]
    assert "colour: red; path length: 2.61 m" in user
    assert 'Question: "Is \\"it\\" red?"' in user
    assert "image" not in json.dumps(body)


def test_images_are_sent_when_allowed(server):
    server.answers = [stream(["It is red."])]
    image = np.zeros((8, 8, 3), np.uint8)
    backend(server, send_images=True).describe(FACTS, images=[image])
    content = server.requests[0][2]["messages"][1]["content"]
    assert content[1]["image_url"]["url"].startswith("data:image/png;base64,iVBOR")


def test_the_key_comes_from_the_environment_and_goes_nowhere_else(
    server, monkeypatch, caplog, capfd
):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("LM3D_TEST_KEY", KEY)
    server.answers = [whole(KEY.encode(), status=401), stream(GOOD)]
    asked = backend(server)
    with pytest.raises(BackendFailure) as caught:
        asked.describe(FACTS)
    words = asked.describe(FACTS)
    assert [headers["Authorization"] for _, headers, _ in server.requests] == [f"Bearer {KEY}"] * 2
    assert KEY not in json.dumps(server.requests[0][2])
    told = (str(caught.value), repr(caught.value), repr(vars(asked)), caplog.text, repr(words))
    assert not [one for one in (*told, *capfd.readouterr()) if KEY in one]
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("key", ["sk-\nX-Evil: 1", "sk-\x00", "schlüssel"])
def test_a_key_that_breaks_the_header_is_refused_without_being_told(server, monkeypatch, key):
    monkeypatch.setattr("os.environ", {"LM3D_TEST_KEY": key})
    with pytest.raises(BackendFailure, match=r"key: LM3D_TEST_KEY is not printable ASCII"):
        backend(server).describe(FACTS)
    assert server.requests == []


LARGE = b"data: " + b"x" * 70000 + b"\n\n"
FAULTS = {
    "timeout": [silent],
    "http_401": [whole(b"{}", status=401)],
    "http_429": [whole(b"{}", status=429)],
    "http_500": [whole(b"<html>", "text/html", status=500)],
    "http_302": [whole(b"", status=302, Location="http://example.org/")],
    "truncated": [stream(GOOD[:2], end=b"")],
    "wrong_json": [stream([b"data: {nonsense\n\n"])],
    "wrong_json ": [whole(b'{"choices": [{"message": {"content": 7}}]}')],
    "wrong_json  ": [whole(b"[1, 2]")],
    "error_in_reply": [stream([b'data: {"error": {"message": "overloaded"}}\n\n'])],
    "empty": [stream([])],
    "too_long": [stream([LARGE])],
    "connection": [lambda handler: handler.wfile.write(b"not http\r\n\r\n")],
}


@pytest.mark.parametrize("reason", FAULTS)
def test_faults_end_with_the_template_and_are_counted(server, reason):
    server.answers = FAULTS[reason]
    asked = Verified(backend(server))
    words = asked.describe(FACTS)
    assert words.text == TemplateBackend().describe(FACTS).text
    assert (words.backend, words.verified) == ("template", True)
    assert asked.failures == {reason.strip(): 1}
    server.answers = [stream(GOOD)]
    assert asked.describe(FACTS).backend == "openai_compatible"


def test_no_server_is_a_connection_that_fails():
    settings = EndpointSettings(base_url="http://127.0.0.1:9/v1", timeout=0.3)
    asked = Verified(EndpointBackend(settings))
    assert asked.describe(FACTS).backend == "template"
    assert asked.failures == {"connection": 1}


def test_a_deadline_ends_a_reply_that_drips(server):
    server.answers = [drip]
    asked = Verified(backend(server))
    begin = time.monotonic()
    words = asked.describe(FACTS, deadline=begin + 0.2)
    assert time.monotonic() - begin < 1.0
    assert (words.backend, asked.failures) == ("template", {"deadline": 1})


@pytest.mark.parametrize("wrong", ["It is blue.", "It moved over 9.99 m.", "It is a happy bird."])
def test_wrong_values_are_asked_for_once_more_and_then_the_template_speaks(server, wrong):
    server.answers = [stream([f"It is red. {wrong} "])]
    asked = Verified(backend(server))
    words = asked.describe(FACTS)
    assert words.backend == "template"
    assert asked.failures == {"unsupported": 2}
    assert words.unsupported
    first, second = (body["messages"][1]["content"] for _, _, body in server.requests)
    assert "leave them out" not in first
    assert words.unsupported[0] in second


def test_a_second_attempt_that_is_right_is_taken(server):
    server.answers = [stream(["It is blue."]), stream(["It is red."])]
    words = Verified(backend(server)).describe(FACTS)
    assert (words.text, words.backend) == ("It is red.", "openai_compatible")
    assert words.unsupported == ("contradicted: blue",)


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("http://example.org/v1", "https for another machine"),
        ("ftp://127.0.0.1/v1", "an http or https address"),
        ("https://user:pass@example.org/v1", "an http or https address"),
        ("example.org", "an http or https address"),
    ],
)
def test_addresses_that_would_show_the_key_are_refused(url, rule):
    with pytest.raises(ValueError, match=f"base_url must be {rule}") as caught:
        EndpointBackend(EndpointSettings(base_url=url))
    assert "user" not in str(caught.value).partition("got")[2].partition(".")[0]
