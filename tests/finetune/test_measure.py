"""Measuring models: the figures are those of the model, a measured one is not measured again."""

import json
import math
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from torch.nn import functional

from chatbot import prompt
from chatbot.commands import Command
from chatbot.prompt import Style, Turn
from finetune.data import DataRefused
from finetune.examples import Example
from finetune.measure import (
    cases,
    compare,
    endpoint,
    measured,
    perplexity,
    plots,
    quantization,
    systems,
    tables,
    variants,
)
from finetune.measure.endpoint import Endpoint
from finetune.measure.loss import Reader
from finetune.measure.measured import Answer, Level, summarise
from finetune.measure.systems import BadSystem, System

BALANCE = Example(Turn("what do I owe"), (Command("balance"),), "x")
FRIDAY = Example(
    Turn("come on friday", "book_appointment", "slot"), (Command("set", {"slot": "on friday"}),), "x"
)


# What is scored


def test_cases_are_read_in_every_form_that_they_are_written_in(tmp_path):
    path = tmp_path / "cases.jsonl"
    rows = [
        {"message": "what do I owe", "commands": [{"name": "balance"}]},
        {"text": "hi", "commands": [{"name": "greet"}], "task": "balance", "asked": "date_of_birth"},
        {"context": {"last": "balance"}, "text": "bye", "expect": {"commands": [{"name": "goodbye"}]}},
        {"conversation": "a", "text": "played", "expect": {"commands": [{"name": "yes"}]}},
        {"now": "2026-03-02T09:00"},
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n\n", "utf-8")
    assert [(case.turn, case.commands[0].name) for case in cases.read([path])] == [
        (Turn("what do I owe"), "balance"),
        (Turn("hi", "balance", "date_of_birth"), "greet"),
        (Turn("bye", last="balance"), "goodbye"),
    ]


def test_an_article_more_or_less_is_no_mistake_another_word_is():
    assert cases.is_right(FRIDAY, (Command("set", {"slot": "Friday"}),))
    assert not cases.is_right(FRIDAY, (Command("set", {"slot": "monday"}),))
    assert cases.are_names_right(FRIDAY, (Command("set", {"slot": "monday"}),))
    assert not cases.are_names_right(FRIDAY, ())


# Figures


def test_figures_are_medians_and_shares():
    answers = [
        Answer((Command("balance"),), 5, 10, 6),
        Answer((Command("greet"),), 7, 30, 1),
        Answer((), 9, 20, 0),
    ]
    found = summarise([BALANCE] * 3, answers, name="a", where="a.gguf", style="compact")
    assert (found.right, found.names_right) == (1 / 3, 1 / 3)
    assert (found.first_ms, found.median_ms, found.p95_ms, found.ms_per_token) == (7, 20, 30, 1.0)
    assert found.changed(replace(found, commands=("[]", *found.commands[1:]))) == 1


def test_figures_are_kept_and_forgotten_when_something_else_is_measured(tmp_path):
    found = summarise([BALANCE], [Answer((), 1, 2)], name="a", where="a.gguf", style="full")
    found = replace(found, levels=(Level(2, 10.0, 5.0, 9.0, 0),))
    measured.save(tmp_path / "a.json", found, "one key")
    assert measured.load(tmp_path / "a.json", "one key") == found
    assert measured.load(tmp_path / "a.json", "another key") is None
    (tmp_path / "a.json").write_text("{", "utf-8")
    assert measured.load(tmp_path / "a.json", "one key") is None


def test_the_loss_in_llama_cpp_is_the_loss_in_torch(model, tokenizer, fp32, examples):
    model.eval()
    nats, tokens = 0.0, 0
    for asked, said in tokenizer.encode_examples(examples[:20], Style.COMPACT):
        with torch.no_grad():
            ids = torch.tensor([[*asked, *said]])
            logits = model.logits(model.hidden(ids[:, :-1]))[0, len(asked) - 1 :]
        counted = said[:-1]  # without the end of the text, which is no part of the answer's bytes
        nats += functional.cross_entropy(
            logits[: len(counted)], torch.tensor(counted), reduction="sum"
        ).item()
        tokens += len(counted)
    reader = Reader(fp32)
    found = reader.answers(examples[:20], Style.COMPACT)
    reader.close()
    assert found.tokens == tokens
    assert found.per_token == pytest.approx(nats / tokens, abs=1e-4)
    assert found.bits_per_byte == pytest.approx(
        nats / math.log(2) / sum(len(example.answer.encode()) for example in examples[:20]), abs=1e-4
    )


def test_random_weights_are_as_surprised_by_a_text_as_by_any_other(fp32):
    reader = Reader(fp32)
    found = reader.texts(["where are my glasses", ""])
    reader.close()
    assert found.bytes == len("where are my glasses")
    assert 400 < found.perplexity < 1600


def test_perplexities_are_told_on_labelled_messages_and_on_texts(fp32, tmp_path, capsys):
    labelled = tmp_path / "held_out.jsonl"
    labelled.write_text(json.dumps({"text": "what do I owe", "commands": [{"name": "balance"}]}), "utf-8")
    perplexity.main([f"tiny={fp32},style=compact", "--labelled", str(labelled)])
    assert "| tiny | " in capsys.readouterr().out
    perplexity.main([f"tiny={fp32}", "--texts", str(labelled)])
    assert "| Model | tokens | loss | perplexity | bits a byte |" in capsys.readouterr().out


def test_a_server_is_not_asked_for_a_perplexity(capsys):
    with pytest.raises(SystemExit):
        perplexity.main(["big=http://host/v1", "--texts", __file__])
    assert "does not tell how likely" in capsys.readouterr().err


# What is measured


def test_systems_are_named_with_options_behind_commas(fp32):
    assert systems.parse(f"a b={fp32},style=hinted") == System("a b", str(fp32), {"style": "hinted"})
    served = systems.parse("big=http://host/v1,model=llama,constraint=grammar")
    assert (served.is_endpoint, served.style) == (True, Style.FULL)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("model.gguf", "is not NAME=FILE"),
        ("a=", "is not NAME=FILE"),
        ("a/b=x.gguf", "is not NAME=FILE"),
        ("a=missing.gguf", "there is no file missing.gguf"),
        ("a=http:///v1", "is no address"),
        ("a=http://host/v1,colour=red", "no option 'colour'"),
        ("a=http://host/v1,style=loud", "'loud' is not a valid"),
        ("a=http://host/v1,adapter=none.gguf", "there is no file none.gguf"),
        (f"a={__file__}", "is not a readable GGUF"),
    ],
)
def test_what_cannot_be_measured_is_refused(text, problem):
    with pytest.raises(BadSystem, match=problem):
        systems.parse(text)


def test_another_file_other_cases_or_other_options_are_another_measurement(fp32):
    system = System("a", str(fp32))
    key = systems.key(system, [BALANCE], levels=False)
    assert key == systems.key(replace(system, name="b"), [BALANCE], levels=False)
    assert key != systems.key(system, [FRIDAY], levels=False)
    assert key != systems.key(replace(system, options={"style": "full"}), [BALANCE], levels=False)
    with fp32.open("ab") as file:
        file.write(b"\0")
    assert key != systems.key(system, [BALANCE], levels=False)


def test_a_model_is_measured_once_in_a_process_of_its_own(fp32, tmp_path, capsys):
    tiny = System("tiny", str(fp32), {"style": "compact"})
    [found] = compare.compare([tiny], [BALANCE, FRIDAY], tmp_path)
    assert 10 < found.memory_mb < 400
    assert found.size_mb == pytest.approx(fp32.stat().st_size / 1e6)
    assert found.perplexity > 1
    assert {path.name for path in tmp_path.iterdir()} >= {
        "comparison.md",
        "comparison.json",
        "accuracy-latency.png",
        "accuracy-latency.svg",
        "accuracy-memory.png",
        "accuracy-memory.svg",
    }
    assert compare.compare([tiny], [BALANCE, FRIDAY], tmp_path) == [found]
    assert "tiny: measured before" in capsys.readouterr().out


def test_one_that_fails_does_not_keep_the_others_from_being_measured(fp32, tmp_path, capsys):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(fp32.read_bytes()[:5000])
    named = [
        System("broken", str(broken), {"style": "compact"}),
        System("tiny", str(fp32), {"style": "compact"}),
    ]
    assert [one.name for one in compare.compare(named, [BALANCE], tmp_path)] == ["tiny"]
    assert "broken was not measured: broken: " in capsys.readouterr().out


# Servers


class _Server(BaseHTTPRequestHandler):
    """Streams one answer in two pieces, as servers with OpenAI's shapes do; says what it was asked."""

    asked: list[dict[str, object]] = []
    answer = prompt.answer([Command("balance")])
    refuses = False

    def do_GET(self) -> None:
        self._say({"data": [{"id": "stub"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).asked.append(body)
        if self.refuses:
            self.send_error(503)
            return
        self.send_response(200)
        self.end_headers()
        for piece in (self.answer[:9], self.answer[9:]):
            self._event({"choices": [{"delta": {"content": piece}}]})
        self._event({"choices": [], "usage": {"completion_tokens": 12}})
        self.wfile.write(b"data: [DONE]\n\n")

    def _event(self, event: object) -> None:
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())

    def _say(self, said: object) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(said).encode())

    def log_message(self, format: str, *arguments: object) -> None:
        return


class _Listener(ThreadingHTTPServer):
    request_queue_size = 64
    """Sixteen callers at once, where five may wait by default, are turned away on a busy machine."""


@pytest.fixture
def server() -> Iterator[type[_Server]]:
    class Server(_Server):
        asked: list[dict[str, object]] = []
        url = ""

    running = _Listener(("127.0.0.1", 0), Server)
    Server.url = f"http://127.0.0.1:{running.server_address[1]}/v1"
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield Server
    running.shutdown()
    running.server_close()


def test_an_endpoint_is_asked_for_its_first_model_and_measured(server, tmp_path):
    [found] = compare.compare([System("stub", server.url)], [BALANCE, FRIDAY], tmp_path, levels=True)
    assert (found.right, found.memory_mb, found.style) == (0.5, None, "full")
    assert {body["model"] for body in server.asked} == {"stub"}
    assert "json_schema" in json.dumps(server.asked[0]["response_format"])
    assert [(level.callers, level.failed) for level in found.levels] == [(n, 0) for n in endpoint.CALLERS]
    assert "Callers at once" in (tmp_path / "comparison.md").read_text("utf-8")
    assert not (tmp_path / "accuracy-memory.png").exists()


def test_an_endpoint_can_be_given_the_grammar_and_a_style_of_ours(server):
    asked = Endpoint(server.url, "mine", Style.COMPACT, "grammar")
    with asked.client() as client:
        answer = endpoint.ask(client, asked, BALANCE.turn)
    assert answer.commands == (Command("balance"),)
    assert answer.tokens == 12
    assert answer.first_ms <= answer.whole_ms
    [body] = server.asked
    assert body["messages"] == prompt.render(BALANCE.turn)
    assert "root ::=" in str(body["grammar"])


def test_a_server_that_refuses_is_told_apart_from_a_wrong_answer(server, tmp_path, capsys):
    server.refuses = True
    assert compare.compare([System("stub", server.url)], [BALANCE], tmp_path) == []
    assert "stub was not measured" in capsys.readouterr().out
    [level] = endpoint.concurrency(Endpoint(server.url, "stub"), [BALANCE] * 3, callers=[2])
    assert (level.failed, level.answers_per_second) == (3, 0.0)


def test_no_server_at_all_is_told_too(tmp_path, capsys):
    assert compare.compare([System("gone", "http://127.0.0.1:9/v1")], [BALANCE], tmp_path) == []
    assert "gone was not measured" in capsys.readouterr().out


# Reports


def _figures(name: str, **figures: float) -> measured.Measured:
    found = summarise([BALANCE], [Answer((), 1, 2)], name=name, where=name, style="full")
    return replace(found, **figures)


def test_the_same_figures_give_the_same_plot(tmp_path):
    shown = [_figures("a", memory_mb=100), _figures("b", memory_mb=900, right=0.9)]
    first = {path.name: path.read_bytes() for path in plots.write(tmp_path, shown)}
    assert len(first) == 4
    assert first == {path.name: path.read_bytes() for path in plots.write(tmp_path, shown)}
    assert b"90.0%, 900 MB" in first["accuracy-memory.svg"]


def test_a_figure_that_is_not_there_is_a_dash_in_the_table():
    table = tables.comparison([_figures("a|b")])
    assert table.splitlines()[2].startswith("| a\\|b | 0.0% | 0.0% | 1.0 | 2.0 | 2.0 | – | – |")


def test_the_quantization_report_counts_changed_answers(fp32, tmp_path, monkeypatch):
    monkeypatch.setattr(quantization, "PRECISIONS", ("fp16", "Q8_0"))
    found = quantization.report(fp32, [BALANCE, FRIDAY], tmp_path / "report")
    assert [one.name for one in found] == ["fp32", "fp16", "Q8_0"]
    assert found[0].size_mb > found[1].size_mb > found[2].size_mb
    assert found[1].perplexity == pytest.approx(found[0].perplexity, rel=0.01)
    lines = quantization.page(found).splitlines()
    assert lines[2].endswith("| +0.0 | 0.0% | 0 |")
    assert len(lines) == 5


def test_a_model_that_is_quantized_already_has_nothing_to_be_compared_with(fp32, tmp_path):
    small = variants.make("Q8_0", fp32, tmp_path)
    with pytest.raises(DataRefused, match="is quantized already"):
        quantization.report(small.path, [BALANCE], tmp_path)


def test_nf4_is_measured_by_its_answers_and_sized_by_its_bits(fp32, tmp_path):
    pytest.importorskip("bitsandbytes")
    made = variants.make("NF4", fp32, tmp_path)
    assert not made.is_served
    assert made.size_mb < variants.make("fp16", fp32, tmp_path).size_mb
    reader = Reader(made.path)
    assert reader.texts(["where are my glasses"]).perplexity > 1
    reader.close()
